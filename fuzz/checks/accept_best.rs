//! For any `Accept`, the result is one of the offers or none, and a request for that result gets it
//! again. The fuzz target and the test that replays its corpus share this file.

use http::HeaderValue;
use tower_kit::accept::best;

const OFFERS: [&str; 4] = [
    "text/plain",
    "text/html",
    "application/problem+json",
    "text/html;level=1",
];

pub(crate) fn accept_best(data: &[u8]) {
    let Ok(header) = HeaderValue::from_bytes(data) else {
        return;
    };
    let found = best(Some(&header), &OFFERS);
    assert!(found.is_none_or(|found| found < OFFERS.len()));
    assert_eq!(best(Some(&header), &[]), None);
    // Within quotes it would not be a member, and bytes that are not text are no list.
    if data
        .iter()
        .any(|byte| matches!(byte, b'"' | b'\\') || !byte.is_ascii())
    {
        return;
    }
    let with = |member: &str| {
        let longer = [data, b", ", member.as_bytes()].concat();
        let longer = HeaderValue::from_bytes(&longer).expect("two values make one");
        best(Some(&longer), &OFFERS)
    };
    match found {
        Some(found) => assert_eq!(with(OFFERS[found]), Some(found)),
        // An offer that is requested by name is found, even if all others are excluded.
        None => assert_eq!(with("application/problem+json"), Some(2)),
    }
}
