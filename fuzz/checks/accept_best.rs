//! Whatever `Accept` says, what comes of it is one of the offers or none, and asking for it again changes nothing. The fuzz target and the test
//! that replays its corpus share this file.

use http::HeaderValue;
use tower_exception::accept::best;

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
        None => {
            // What is refused by name stays refused; a name that is asked for is found.
            let asked = with("application/problem+json");
            assert_eq!(asked, Some(2));
        }
    }
    // Alone with itself, an offer is found if and only if something asks for it.
    for offer in OFFERS {
        assert!(best(Some(&header), &[offer]).is_none_or(|at| at == 0));
    }
}
