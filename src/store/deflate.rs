//! Compression of what is stored ([RFC 1951](https://www.rfc-editor.org/rfc/rfc1951)): DynamoDB charges a
//! write unit for each kilobyte, and JSON takes half of one.

use flate2::bufread::DeflateDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};
use std::cell::RefCell;
use std::io::Read;

/// Shorter bytes gain nothing: with the rest of their item, some 400 bytes, they take one write unit as they
/// are.
const MIN_BYTES: usize = 512;

/// The most bytes that were ever stored: more than Lambda's largest payload.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

thread_local! {
    /// Its tables are a third of a megabyte: to get them from the kernel each time takes longer than to
    /// compress.
    ///
    /// The fastest level: the others take twice as long for a fiftieth of the size.
    static COMPRESS: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
}

/// The same in fewer bytes, if that is possible.
pub(crate) fn deflate(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < MIN_BYTES {
        return None;
    }
    // What does not fit into as many bytes is not shorter.
    let mut deflated = Vec::with_capacity(bytes.len());
    let status = COMPRESS.with_borrow_mut(|compress| {
        compress.reset();
        compress.compress_vec(bytes, &mut deflated, FlushCompress::Finish)
    });
    let status = status.ok()?;
    (status == Status::StreamEnd && deflated.len() < bytes.len()).then_some(deflated)
}

/// The bytes that were deflated; `None` if they were not, or are too many.
pub(crate) fn inflate(deflated: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(deflated.len().saturating_mul(3));
    let mut most = DeflateDecoder::new(deflated).take(MAX_BYTES + 1);
    most.read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= MAX_BYTES).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(members: usize) -> Vec<u8> {
        let member = |number| {
            format!(
                "\"member{number}\":{{\"Id\":{},\"Name\":null}}",
                number * 7919
            )
        };
        let members: Vec<_> = (0..members).map(member).collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    }

    #[test]
    fn what_was_deflated_comes_back() {
        for members in [16, 30, 3_000, 100_000] {
            let bytes = json(members);
            let deflated = deflate(&bytes).unwrap();
            assert!(deflated.len() * 3 < bytes.len() * 2, "{members}");
            assert_eq!(inflate(&deflated).unwrap(), bytes);
        }
        let zeros = vec![0; 4_500_000];
        assert_eq!(inflate(&deflate(&zeros).unwrap()).unwrap(), zeros);
    }

    #[test]
    fn what_gains_nothing_is_left_as_it_is() {
        assert_eq!(deflate(b""), None);
        assert_eq!(deflate(&json(12)), None);
        let random: Vec<u8> = (0..64_u8)
            .flat_map(|byte| crate::crypto::mac::sha256(&[byte]))
            .collect();
        assert_eq!(deflate(&random), None);
    }

    #[test]
    fn what_was_not_deflated_or_not_to_its_end_is_nothing() {
        let deflated = deflate(&json(30)).unwrap();
        for length in 0..deflated.len() {
            assert_eq!(inflate(&deflated[..length]), None, "{length}");
        }
        assert_eq!(inflate(&[0xff; 64]), None);
        let bomb = deflate(&vec![0; 2 * MAX_BYTES as usize]).unwrap();
        assert_eq!(inflate(&bomb), None);
    }
}
