//! Whatever `Accept` says, what comes of it is one of the offers or none, and asking for it again
//! changes nothing. The fuzz target and the test that replays its corpus share this file.

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
    // Within quotes it would not be a member; and what is not text is no list.
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
        // What is asked for by name is found, whatever else is refused.
        None => assert_eq!(with("application/problem+json"), Some(2)),
    }
}
