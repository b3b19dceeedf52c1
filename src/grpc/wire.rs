//! Replies on their way out: encoded once, copied into the connection's buffer.

use std::fmt::Write;
use std::marker::PhantomData;

use bytes::{BufMut, Bytes};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use super::pb;

/// Fields of all `…Response` messages.
const ATTRIBUTION_TOKEN: u32 = 2;
const GENERATION: u32 = 3;
/// Field of a `StreamForCustomersResponse`.
const CUSTOMER_ID: u32 = 6;
/// Bytes to begin with for a request, and for a reply; a longer one takes what it needs.
const REQUEST_BYTES: usize = 512;
const REPLY_BYTES: usize = 16;

/// A `…Response`, whichever it is.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// An answer of the service.
    Answer {
        /// The recommendations, encoded: a response that has nothing else yet.
        recommendations: Bytes,
        /// A number that no other answer of this generation has.
        number: u64,
        /// The generation that answered.
        generation: u64,
    },
    /// A message that is ready as it is.
    Whole(Bytes),
}

/// What was worked out, as a response that has no token and no generation yet.
pub(super) fn encoded(
    recommendations: Vec<pb::Recommendation>,
    ledger: pb::Ledger,
    expected_order_value: f64,
    degraded: bool,
) -> Bytes {
    // The responses are alike on the wire; the others never have an order's value.
    let response = pb::BasketUpsellResponse {
        recommendations,
        ledger: Some(ledger),
        expected_order_value,
        degraded,
        ..Default::default()
    };
    response.encode_to_vec().into()
}

/// The placements of a page, as a response that has no token and no generation yet.
pub(super) fn encoded_page(placements: Vec<pb::PlacementAnswer>, degraded: bool) -> Bytes {
    let response = pb::RecommendPageResponse { placements, degraded, ..Default::default() };
    response.encode_to_vec().into()
}

/// An answer with the customer whom it is for behind it.
pub(super) fn addressed(answer: &Bytes, customer: &str) -> Bytes {
    let mut whole = Vec::with_capacity(answer.len() + customer.len() + 8);
    whole.extend_from_slice(answer);
    if !customer.is_empty() {
        encode_key(CUSTOMER_ID, WireType::LengthDelimited, &mut whole);
        encode_varint(customer.len() as u64, &mut whole);
        whole.extend_from_slice(customer.as_bytes());
    }
    whole.into()
}

/// `{generation}-{number in hexadecimal}`.
fn attribution_token(generation: u64, number: u64) -> impl AsRef<[u8]> {
    let mut token = Short { letters: [0; 40], length: 0 };
    write!(token, "{generation}-{number:016x}").expect("20 digits, a hyphen and 16 digits fit");
    token
}

/// A few letters, on the stack.
struct Short {
    letters: [u8; 40],
    length: usize,
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        let place = self.letters.get_mut(self.length..end).ok_or(std::fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

impl AsRef<[u8]> for Short {
    fn as_ref(&self) -> &[u8] {
        &self.letters[..self.length]
    }
}

/// Appends `reply` to `out`: fields may come in any order. Proto3 leaves out a generation of 0, and so does this.
fn put(reply: &Reply, out: &mut impl BufMut) {
    match reply {
        Reply::Whole(message) => out.put_slice(message),
        Reply::Answer { recommendations, number, generation } => {
            out.put_slice(recommendations);
            let token = attribution_token(*generation, *number);
            encode_key(ATTRIBUTION_TOKEN, WireType::LengthDelimited, out);
            encode_varint(token.as_ref().len() as u64, out);
            out.put_slice(token.as_ref());
            if *generation != 0 {
                encode_key(GENERATION, WireType::Varint, out);
                encode_varint(*generation, out);
            }
        }
    }
}

/// Requests decoded by prost, replies put down as they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReplyCodec<Request>(PhantomData<Request>);

impl<Request> Default for ReplyCodec<Request> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<Request: Message + Default + 'static> Codec for ReplyCodec<Request> {
    type Encode = Reply;
    type Decode = Request;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self::default()
    }

    fn decoder(&mut self) -> Self {
        Self::default()
    }
}

impl<Request: Send> Encoder for ReplyCodec<Request> {
    type Item = Reply;
    type Error = Status;

    fn encode(&mut self, reply: Reply, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        let length = match &reply {
            Reply::Whole(message) => message.len(),
            Reply::Answer { recommendations, .. } => recommendations.len() + 64,
        };
        out.reserve(length);
        put(&reply, out);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(REPLY_BYTES, 32 << 10)
    }
}

impl<Request: Message + Default> Decoder for ReplyCodec<Request> {
    type Item = Request;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Request>, Status> {
        let wrong =
            |error| Status::invalid_argument(format!("the request can't be decoded: {error}"));
        Request::decode(bytes).map(Some).map_err(wrong)
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(REQUEST_BYTES, 32 << 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_reads_as_the_response_that_prost_would_have_written() {
        let recommendation =
            pb::Recommendation { item_id: "tea".into(), score: 0.5, ..Default::default() };
        for generation in [0, 7, u64::MAX] {
            let response = pb::RelatedItemsResponse {
                recommendations: vec![recommendation.clone(); 3],
                attribution_token: format!("{generation}-00000000000000ff"),
                generation,
                ledger: Some(pb::Ledger { requested: 10, returned: 3, ..Default::default() }),
                degraded: generation == 7,
            };
            let ledger = pb::Ledger { requested: 10, returned: 3, ..Default::default() };
            let recommendations =
                encoded(response.recommendations.clone(), ledger, 0.0, generation == 7);
            let mut bytes = Vec::new();
            put(&Reply::Answer { recommendations, number: 255, generation }, &mut bytes);
            let read = pb::RelatedItemsResponse::decode(bytes.as_slice());
            assert_eq!(read.expect("a response"), response);
        }
    }

    #[test]
    fn a_page_and_an_addressed_answer_read_as_what_they_are() {
        let written = |recommendations| {
            let mut bytes = Vec::new();
            put(&Reply::Answer { recommendations, number: 255, generation: 7 }, &mut bytes);
            bytes
        };
        let placements = vec![pb::PlacementAnswer { name: "top".into(), ..Default::default() }; 2];
        let page = written(encoded_page(placements.clone(), true));
        let page = pb::RecommendPageResponse::decode(page.as_slice()).expect("a page");
        assert_eq!((page.placements, page.generation, page.degraded), (placements, 7, true));
        assert_eq!(page.attribution_token, "7-00000000000000ff");

        let answer = encoded(Vec::new(), pb::Ledger::default(), 0.0, false);
        let answer = written(addressed(&answer, "Käthe"));
        let answer = pb::StreamForCustomersResponse::decode(answer.as_slice()).expect("an answer");
        assert_eq!((answer.customer_id.as_str(), answer.generation), ("Käthe", 7));
        assert_eq!(answer.ledger, Some(pb::Ledger::default()));
    }
}
