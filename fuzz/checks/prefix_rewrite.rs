//! For any chunks of a body, its lines get the prefix by the line rule. The fuzz target and the
//! test that replays its corpus share this file.

use bytes::Bytes;
use tower_body_rewrite::{Prefix, Rewriter, Sink};

/// The first byte is the length of the prefix, the second the number of cuts. Then come the prefix,
/// the lengths of the chunks before each cut, and the body.
pub(crate) fn prefix_rewrite(data: &[u8]) {
    let Some((&[prefix, cuts], rest)) = data.split_first_chunk() else {
        return;
    };
    let Some((prefix, rest)) = rest.split_at_checked(usize::from(prefix)) else {
        return;
    };
    let Some((cuts, body)) = rest.split_at_checked(usize::from(cuts)) else {
        return;
    };
    assert_eq!(rewritten(prefix, cuts, body), naive(prefix, body));
}

fn rewritten(prefix: &[u8], cuts: &[u8], body: &[u8]) -> Vec<u8> {
    let mut rewriter = Prefix::new(prefix.to_vec());
    let mut sink = Sink::default();
    let mut rest = Bytes::copy_from_slice(body);
    for cut in cuts {
        let chunk = rest.split_to(rest.len().min(usize::from(*cut)));
        rewriter.rewrite(chunk, &mut sink);
    }
    rewriter.rewrite(rest, &mut sink);
    rewriter.finish(&mut sink);
    std::iter::from_fn(|| sink.next_frame()).flatten().collect()
}

/// The line rule, in its simplest form.
fn naive(prefix: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, byte) in body.iter().enumerate() {
        if at == 0 || body[at - 1] == b'\n' {
            out.extend_from_slice(prefix);
        }
        out.push(*byte);
    }
    out
}
