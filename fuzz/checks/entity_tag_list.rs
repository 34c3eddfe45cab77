//! A list of entity tags is the same on one line and on several, and a parsed tag is written
//! verbatim. The fuzz target and the test that replays its corpus share this file.

use http::{HeaderMap, HeaderValue, header::IF_NONE_MATCH};
use tower_kit::entity_tag::{EntityTag, members};

/// The text is the lines of a header.
pub(crate) fn entity_tag_list(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|&byte| byte == b'\n') {
        let Ok(line) = HeaderValue::from_bytes(line) else {
            return;
        };
        headers.append(IF_NONE_MATCH, line);
    }
    let found: Vec<_> = members(&headers, &IF_NONE_MATCH).collect();
    let mut tags = Vec::new();
    for member in &found {
        assert!(!member.is_empty());
        if let Some(tag) = EntityTag::parse(member) {
            assert_eq!(tag.to_bytes(), *member);
            assert!(tag.equals_weakly(tag) && tag.equals_strongly(tag) != tag.weak);
            tags.push(tag);
        }
    }
    // Tags by themselves are a list of the same tags.
    let joined = tags.iter().map(|tag| tag.to_bytes()).collect::<Vec<_>>();
    let joined = HeaderValue::from_bytes(&joined.join(&b", "[..])).expect("a part of a value");
    let joined = HeaderMap::from_iter([(IF_NONE_MATCH, joined)]);
    let again: Vec<_> = members(&joined, &IF_NONE_MATCH)
        .map(EntityTag::parse)
        .collect();
    assert_eq!(again, tags.into_iter().map(Some).collect::<Vec<_>>());
}
