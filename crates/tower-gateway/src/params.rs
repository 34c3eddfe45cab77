//! The variables of a request in FastCGI's form (FastCGI specification, sections 3.4 and 5.2).

use crate::{
    record::{HEADER_LEN, Header, MAX_CONTENT, PARAMS},
    variables::{Refused, Sink},
};

/// Writes variables as PARAMS records.
///
/// A record ends between two pairs, because not every program joins a pair that is cut.
pub(crate) struct Params {
    out: Vec<u8>,
    /// The index of the open record's header.
    record: usize,
}

impl Params {
    /// Begins the records after the bytes that are already there.
    pub(crate) fn after(mut out: Vec<u8>) -> Self {
        let record = out.len();
        out.extend([0; HEADER_LEN]);
        Self { out, record }
    }

    /// Returns all bytes, with the empty record that ends the variables.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.close();
        let mut out = self.out;
        out.extend(Header::of(PARAMS, 0).bytes());
        out
    }

    fn content(&self) -> usize {
        self.out.len() - self.record - HEADER_LEN
    }

    fn close(&mut self) {
        let Ok(content) = u16::try_from(self.content()) else {
            unreachable!("a record is closed before it is too long");
        };
        let header = Header::of(PARAMS, content).bytes();
        self.out[self.record..self.record + HEADER_LEN].copy_from_slice(&header);
    }
}

impl Sink for Params {
    fn pair(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refused> {
        // Programs in C take it for the end of the value.
        if value.contains(&0) {
            return Err(Refused::Nul);
        }
        let length = length_of_length(name) + name.len() + length_of_length(value) + value.len();
        if length > MAX_CONTENT {
            return Err(Refused::TooLarge);
        }
        if self.content() + length > MAX_CONTENT {
            self.close();
            self.record = self.out.len();
            self.out.extend([0; HEADER_LEN]);
        }
        write_length(&mut self.out, name);
        write_length(&mut self.out, value);
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(value);
        Ok(())
    }
}

fn length_of_length(text: &[u8]) -> usize {
    if text.len() < 128 { 1 } else { 4 }
}

fn write_length(out: &mut Vec<u8>, text: &[u8]) {
    match u8::try_from(text.len()) {
        Ok(length) if length < 128 => out.push(length),
        // A longer text is refused before.
        _ => out.extend((text.len() as u32 | 1 << 31).to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the content of each record.
    fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        while let Some(header) = Header::parse(bytes).unwrap() {
            assert_eq!((header.kind, header.id, header.padding), (PARAMS, 1, 0));
            let end = HEADER_LEN + usize::from(header.content);
            found.push(bytes[HEADER_LEN..end].to_vec());
            bytes = &bytes[end..];
        }
        assert!(bytes.is_empty());
        found
    }

    #[test]
    fn gateway_11_pairs_have_lengths_of_one_or_four_bytes() {
        let mut params = Params::after(Vec::new());
        params.pair(b"A", b"").unwrap();
        params.pair(b"B", &[b'x'; 127]).unwrap();
        params.pair(&[b'C'; 128], b"1").unwrap();
        let mut expected = vec![1, 0, b'A'];
        expected.extend([1, 127, b'B']);
        expected.extend([b'x'; 127]);
        expected.extend([0x80, 0, 0, 128, 1]);
        expected.extend([b'C'; 128]);
        expected.push(b'1');
        assert_eq!(records(&params.finish()), [expected, vec![]]);
    }

    #[test]
    fn gateway_11_a_record_ends_between_two_pairs() {
        let mut params = Params::after(Vec::new());
        let value = vec![b'x'; 40_000];
        for name in [b"A", b"B", b"C"] {
            params.pair(name, &value).unwrap();
        }
        let lengths: Vec<_> = records(&params.finish()).iter().map(Vec::len).collect();
        assert_eq!(lengths, [40_006, 40_006, 40_006, 0]);
    }

    #[test]
    fn gateway_11_the_largest_pair_fills_one_record() {
        let mut params = Params::after(Vec::new());
        assert_eq!(params.pair(b"A", &[b'x'; 65_529]), Ok(()));
        assert_eq!(params.pair(b"A", &[b'x'; 65_530]), Err(Refused::TooLarge));
        params.pair(b"B", b"").unwrap();
        let lengths: Vec<_> = records(&params.finish()).iter().map(Vec::len).collect();
        assert_eq!(lengths, [65_535, 3, 0]);
    }

    #[test]
    fn gateway_11_many_short_pairs_are_one_record() {
        let mut params = Params::after(Vec::new());
        for _ in 0..2000 {
            params.pair(b"A", b"123456789").unwrap();
        }
        let lengths: Vec<_> = records(&params.finish()).iter().map(Vec::len).collect();
        assert_eq!(lengths, [24_000, 0]);
    }

    #[test]
    fn gateway_11_the_bytes_of_long_lengths_count() {
        let (name, value) = (vec![b'A'; 128], vec![b'x'; 65_400]);
        let mut params = Params::after(Vec::new());
        assert_eq!(params.pair(&name, &value), Err(Refused::TooLarge));
        assert_eq!(params.pair(&name, &value[1..]), Ok(()));
        let lengths: Vec<_> = records(&params.finish()).iter().map(Vec::len).collect();
        assert_eq!(lengths, [65_535, 0]);
    }
}
