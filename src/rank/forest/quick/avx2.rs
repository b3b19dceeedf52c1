//! Eight rows at once.

use std::arch::x86_64::*;
use std::array::from_fn;

use super::{BLOCK, Block, Quick};

/// Numbers in a register.
const LANES: usize = 8;

/// Adds what the trees say of the first `rows` of a block; of the others, anything.
#[target_feature(enable = "avx2")]
pub(super) fn add_block(quick: &Quick, columns: &[Block], sums: &mut Block, rows: usize) {
    match rows.div_ceil(LANES) {
        1 => add::<1>(quick, columns, sums),
        2 => add::<2>(quick, columns, sums),
        _ => add::<{ BLOCK / LANES }>(quick, columns, sums),
    }
}

/// The same for the rows in the first so many registers.
#[target_feature(enable = "avx2")]
fn add<const REGISTERS: usize>(quick: &Quick, columns: &[Block], sums: &mut Block) {
    let mut sum: [__m256; REGISTERS] = from_fn(|nth| load(&sums.0, nth));
    for (nodes, leaves) in quick.trees() {
        let mut stand = [_mm256_set1_epi32(-1); REGISTERS];
        for node in nodes {
            let values = &columns[node.asked as usize];
            let threshold = _mm256_set1_ps(node.threshold);
            let left = _mm256_set1_epi32(node.left.cast_signed());
            for (nth, stand) in stand.iter_mut().enumerate() {
                let above = _mm256_cmp_ps::<_CMP_GT_OQ>(load(&values.0, nth), threshold);
                let fallen = _mm256_and_si256(_mm256_castps_si256(above), left);
                *stand = _mm256_andnot_si256(fallen, *stand);
            }
        }
        let (low, high) = (load(leaves, 0), load(leaves, 1));
        for (sum, stand) in sum.iter_mut().zip(stand) {
            *sum = _mm256_add_ps(*sum, leaf(stand, low, high));
        }
    }
    for (sums, sum) in sums.0.as_chunks_mut::<LANES>().0.iter_mut().zip(sum) {
        #[allow(unsafe_code, reason = "the only way from a register to memory")]
        // SAFETY: that is where as many numbers stand as a register holds.
        unsafe {
            _mm256_storeu_ps(sums.as_mut_ptr(), sum);
        }
    }
}

/// What is said by the first leaf that stands. As a float, its bit alone has the exponent 127 + its number: the
/// lowest three bits are its place in one of the registers, for the first leaf stands behind all others, and the
/// next says in which.
#[target_feature(enable = "avx2")]
fn leaf(stand: __m256i, low: __m256, high: __m256) -> __m256 {
    let first = _mm256_and_si256(stand, _mm256_sub_epi32(_mm256_setzero_si256(), stand));
    let exponent = _mm256_srli_epi32::<23>(_mm256_castps_si256(_mm256_cvtepi32_ps(first)));
    let [low, high] = [low, high].map(|leaves| _mm256_permutevar8x32_ps(leaves, exponent));
    let is_high = _mm256_castsi256_ps(_mm256_slli_epi32::<28>(exponent));
    _mm256_blendv_ps(low, high, is_high)
}

/// The `nth` eight numbers.
#[target_feature(enable = "avx2")]
fn load<const COUNT: usize>(numbers: &[f32; COUNT], nth: usize) -> __m256 {
    let numbers = &numbers.as_chunks::<LANES>().0[nth];
    #[allow(unsafe_code, reason = "the only way from memory into a register")]
    // SAFETY: as many numbers stand there as a register holds.
    unsafe {
        _mm256_loadu_ps(numbers.as_ptr())
    }
}
