//! Finds newlines that are close to each other.
//!
//! `memchr` is made for bytes that are far away. Each of its results costs as much as a search in
//! 40 bytes here, which looks at eight bytes at once: for `ratios` body-rewrite/20-bytes.

/// The length of a line in bytes below which this is faster than `memchr_iter`.
pub(crate) const CLOSE: usize = 48;

/// An iterator over the positions of the newlines in a text.
pub(crate) struct Newlines<'a> {
    blocks: std::slice::Iter<'a, [u8; 8]>,
    /// The last bytes, which fill no block. `None` after their turn.
    rest: Option<&'a [u8]>,
    /// The end of the block that is being read.
    end: usize,
    /// The newlines in it that were not returned: the highest bit of each of their bytes.
    found: u64,
}

impl<'a> Newlines<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        let (blocks, rest) = text.as_chunks();
        Self {
            blocks: blocks.iter(),
            rest: Some(rest),
            end: 0,
            found: 0,
        }
    }
}

impl Iterator for Newlines<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.found == 0 {
            self.found = match self.blocks.next() {
                Some(block) => find(*block),
                None => {
                    let rest = self.rest.take()?;
                    let mut block = [0; 8];
                    block[..rest.len()].copy_from_slice(rest);
                    find(block)
                }
            };
            self.end += 8;
        }
        let byte = self.found.trailing_zeros() as usize / 8;
        self.found &= self.found - 1;
        Some(self.end - 8 + byte)
    }
}

/// Returns the highest bit of each byte that is a newline. The first byte is the lowest.
#[inline]
fn find(block: [u8; 8]) -> u64 {
    const LOW: u64 = u64::from_ne_bytes([0x7f; 8]);
    // A newline becomes zero. Only a byte that is not zero has its highest bit, or gets it by the
    // addition, which does not reach the next byte.
    let bytes = u64::from_le_bytes(block) ^ u64::from_ne_bytes([b'\n'; 8]);
    !(((bytes & LOW) + LOW) | bytes | LOW)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn body_rewrite_1_close_newlines_are_all_found(
            text in prop::collection::vec(
                prop_oneof![Just(b'\n'), Just(0x0b), Just(0x8a), Just(0), any::<u8>()],
                0..80,
            ),
        ) {
            let found: Vec<_> = Newlines::new(&text).collect();
            let expected: Vec<_> = memchr::memchr_iter(b'\n', &text).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
