//! For any chunks of a body, strings are replaced as in the whole body. The fuzz target and the
//! test that replays its corpus share this file.

use bytes::Bytes;
use tower_body_rewrite::{Replace, Rewriter, Sink};

/// The first byte has the options: 1 once, 2 ignoring case, and in the other bits the number of
/// pairs. Each pair is the lengths of its strings, in half a byte each, and the strings. Then come
/// the number of cuts, the lengths of the chunks before each, and the body.
pub(crate) fn replace_rewrite(data: &[u8]) {
    let Some((&options, rest)) = data.split_first() else {
        return;
    };
    let (once, ignore_case) = (options & 1 != 0, options & 2 != 0);
    let mut pairs = Vec::new();
    let mut rest = rest;
    for _ in 0..options >> 2 & 7 {
        let Some((&lengths, behind)) = rest.split_first() else {
            return;
        };
        let (old, new) = (usize::from(lengths >> 4), usize::from(lengths & 15));
        let Some((strings, behind)) = behind.split_at_checked(old + new) else {
            return;
        };
        pairs.push(strings.split_at(old));
        rest = behind;
    }
    let replace = match ignore_case {
        true => Replace::ignoring_case(pairs.iter().copied()),
        false => Replace::new(pairs.iter().copied()),
    };
    let refused = pairs.is_empty() || pairs.iter().any(|(old, _)| old.is_empty());
    assert_eq!(replace.is_err(), refused);
    let Ok(replace) = replace else { return };
    let replace = if once { replace.once() } else { replace };

    let Some((&cuts, rest)) = rest.split_first() else {
        return;
    };
    let Some((cuts, body)) = rest.split_at_checked(usize::from(cuts)) else {
        return;
    };
    let expected = naive(&pairs, once, ignore_case, body);
    assert_eq!(replaced(replace, cuts, body), expected);
}

fn replaced(mut replace: Replace, cuts: &[u8], body: &[u8]) -> Vec<u8> {
    let mut sink = Sink::default();
    let mut rest = Bytes::copy_from_slice(body);
    for cut in cuts {
        let chunk = rest.split_to(rest.len().min(usize::from(*cut)));
        replace.rewrite(chunk, &mut sink);
    }
    replace.rewrite(rest, &mut sink);
    replace.finish(&mut sink);
    std::iter::from_fn(|| sink.next_frame()).flatten().collect()
}

/// At each index the first of the pairs that matches there, and then the text after it.
fn naive(pairs: &[(&[u8], &[u8])], once: bool, ignore_case: bool, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut used = vec![false; pairs.len()];
    let mut rest = body;
    while let Some((first, behind)) = rest.split_first() {
        let found = pairs.iter().position(|(old, _)| {
            let here = rest.get(..old.len());
            here.is_some_and(|here| match ignore_case {
                true => here.eq_ignore_ascii_case(old),
                false => here == *old,
            })
        });
        let Some(at) = found else {
            out.push(*first);
            rest = behind;
            continue;
        };
        let (here, behind) = rest.split_at(pairs[at].0.len());
        let stays = once && std::mem::replace(&mut used[at], true);
        out.extend_from_slice(if stays { here } else { pairs[at].1 });
        rest = behind;
    }
    out
}
