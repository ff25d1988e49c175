//! Compression of what is stored ([RFC 1951](https://www.rfc-editor.org/rfc/rfc1951)): DynamoDB charges a
//! write unit for each kilobyte, and JSON takes half of one.

use crate::aws::dynamodb::WRITE_UNIT;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::cell::RefCell;

/// The most bytes that were ever stored: more than Lambda's largest payload.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The room for bytes that follow when so many were expected as came.
const UNKNOWN: usize = 1024;

thread_local! {
    /// Its tables are a third of a megabyte: to get them from the kernel each time takes longer than to
    /// compress.
    ///
    /// The fastest level: the others take twice as long for a fiftieth of the size.
    static COMPRESS: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));

    static DECOMPRESS: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// The same in fewer bytes, if their item costs fewer write units then. The rest of the item has the size
/// `rest`.
pub(crate) fn deflate(bytes: &[u8], rest: usize) -> Option<Vec<u8>> {
    let units = |length: usize| (rest + length).div_ceil(WRITE_UNIT).max(1);
    if units(bytes.len()) == units(0) {
        return None;
    }
    // What does not fit into as many bytes is not shorter.
    let mut deflated = Vec::with_capacity(bytes.len());
    let status = COMPRESS.with_borrow_mut(|compress| {
        compress.reset();
        compress.compress_vec(bytes, &mut deflated, FlushCompress::Finish)
    });
    let status = status.ok()?;
    let is_cheaper = units(deflated.len()) < units(bytes.len());
    (status == Status::StreamEnd && is_cheaper).then_some(deflated)
}

/// The bytes that were deflated; `None` if they were not, or are too many.
pub(crate) fn inflate(deflated: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity((deflated.len() * 4).min(MAX_BYTES));
    DECOMPRESS.with_borrow_mut(|decompress| {
        decompress.reset(false);
        loop {
            let read = usize::try_from(decompress.total_in()).ok()?;
            let rest = deflated.get(read..)?;
            let status = decompress.decompress_vec(rest, &mut bytes, FlushDecompress::None);
            match status.ok()? {
                Status::StreamEnd => return (bytes.len() <= MAX_BYTES).then_some(()),
                // It is full, or the rest is missing.
                _ if bytes.len() < bytes.capacity() || bytes.len() > MAX_BYTES => return None,
                _ => bytes.reserve(bytes.len().max(UNKNOWN)),
            }
        }
    })?;
    Some(bytes)
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
        for members in [30, 3_000, 100_000] {
            let bytes = json(members);
            let deflated = deflate(&bytes, 400).unwrap();
            assert!(deflated.len() * 3 < bytes.len() * 2, "{members}");
            assert_eq!(inflate(&deflated).unwrap(), bytes);
        }
        let zeros = vec![0; 4_500_000];
        assert_eq!(inflate(&deflate(&zeros, 0).unwrap()).unwrap(), zeros);
    }

    #[test]
    fn only_what_costs_fewer_write_units_is_deflated() {
        let bytes = json(18);
        let deflated = deflate(&bytes, WRITE_UNIT - bytes.len() + 1).unwrap();
        assert!((200..bytes.len()).contains(&deflated.len()));
        // One unit, with and without.
        assert_eq!(deflate(&bytes, WRITE_UNIT - bytes.len()), None);
        // Two units, with and without.
        assert_eq!(deflate(&bytes, WRITE_UNIT - deflated.len() + 1), None);
        assert!(deflate(&bytes, WRITE_UNIT - deflated.len()).is_some());
        assert_eq!(deflate(b"", 400), None);
        assert_eq!(deflate(b"", 2 * WRITE_UNIT), None);
        let random: Vec<u8> = (0..64_u8)
            .flat_map(|byte| crate::crypto::mac::sha256(&[byte]))
            .collect();
        assert_eq!(deflate(&random, 400), None);
    }

    #[test]
    fn what_was_not_deflated_or_not_to_its_end_is_nothing() {
        let deflated = deflate(&json(30), 400).unwrap();
        for length in 0..deflated.len() {
            assert_eq!(inflate(&deflated[..length]), None, "{length}");
        }
        assert_eq!(inflate(&[0xff; 64]), None);
        let bomb = deflate(&vec![0; 2 * MAX_BYTES], 0).unwrap();
        assert_eq!(inflate(&bomb), None);
    }
}
