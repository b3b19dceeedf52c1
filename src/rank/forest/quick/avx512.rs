//! Sixteen rows at once: a register holds all leaves of a tree.

use std::arch::x86_64::*;
use std::array::from_fn;

use super::{BLOCK, Block, Quick};

/// Numbers in a register.
const LANES: usize = 16;

/// Adds what the trees say of the first `rows` of a block; of the others, anything.
#[target_feature(enable = "avx512f")]
pub(super) fn add_block(quick: &Quick, columns: &[Block], sums: &mut Block, rows: usize) {
    match rows.div_ceil(LANES) {
        1 => add::<1>(quick, columns, sums),
        _ => add::<{ BLOCK / LANES }>(quick, columns, sums),
    }
}

/// The same for the rows in the first so many registers.
#[target_feature(enable = "avx512f")]
fn add<const REGISTERS: usize>(quick: &Quick, columns: &[Block], sums: &mut Block) {
    let mut sum: [__m512; REGISTERS] = from_fn(|nth| load(&sums.0, nth));
    for (nodes, leaves) in quick.trees() {
        let mut stand = [_mm512_set1_epi32(-1); REGISTERS];
        for node in nodes {
            let values = &columns[node.asked as usize];
            let threshold = _mm512_set1_ps(node.threshold);
            let others = _mm512_set1_epi32((!node.left).cast_signed());
            for (nth, stand) in stand.iter_mut().enumerate() {
                let above = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(load(&values.0, nth), threshold);
                *stand = _mm512_mask_and_epi32(*stand, above, *stand, others);
            }
        }
        let leaves = load(leaves, 0);
        for (sum, stand) in sum.iter_mut().zip(stand) {
            *sum = _mm512_add_ps(*sum, leaf(stand, leaves));
        }
    }
    for (sums, sum) in sums.0.as_chunks_mut::<LANES>().0.iter_mut().zip(sum) {
        #[allow(unsafe_code, reason = "the only way from a register to memory")]
        // SAFETY: that is where as many numbers stand as a register holds.
        unsafe {
            _mm512_storeu_ps(sums.as_mut_ptr(), sum);
        }
    }
}

/// What is said by the first leaf that stands. As a float, its bit alone has the exponent 127 + its number: the
/// lowest four bits are its place, for the first leaf stands behind all others.
#[target_feature(enable = "avx512f")]
fn leaf(stand: __m512i, leaves: __m512) -> __m512 {
    let first = _mm512_and_si512(stand, _mm512_sub_epi32(_mm512_setzero_si512(), stand));
    let exponent = _mm512_srli_epi32::<23>(_mm512_castps_si512(_mm512_cvtepi32_ps(first)));
    _mm512_permutexvar_ps(exponent, leaves)
}

/// The `nth` sixteen numbers.
#[target_feature(enable = "avx512f")]
fn load<const COUNT: usize>(numbers: &[f32; COUNT], nth: usize) -> __m512 {
    let numbers = &numbers.as_chunks::<LANES>().0[nth];
    #[allow(unsafe_code, reason = "the only way from memory into a register")]
    // SAFETY: as many numbers stand there as a register holds.
    unsafe {
        _mm512_loadu_ps(numbers.as_ptr())
    }
}
