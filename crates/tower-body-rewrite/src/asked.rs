//! What a request says about how its response is treated, and what becomes of the request on its way in.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, CONTENT_LENGTH, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE, TRANSFER_ENCODING,
    },
    response,
};
use tower_kit::{content::RequestKind, entity_tag::EntityTag};

use crate::{
    Rewriter, Tag,
    eligible::Eligible,
    head,
    layer::{Choose, Options, ResponseFn},
    tag::{Copies, take_tags_out},
};

/// What is kept of a request while the inner service works.
pub(crate) struct Asked<R> {
    options: Arc<Options<R>>,
    kind: RequestKind,
    is_get: bool,
    /// What `from_request` made of this request.
    choose: Option<Box<ResponseFn<R>>>,
    /// It has a condition that entity tags decide.
    conditional: bool,
    copies: Copies,
}

/// What is done to a response.
pub(crate) enum Treatment<R> {
    /// It passes untouched.
    Untouched,
    /// It has no body, but its headers change as if it had one.
    HeadersOnly(R, Option<Tag>),
    Rewritten(R, Option<Tag>),
    /// As the one before, and the validators are not the body's.
    Outcome(R),
    /// It is a part of a body that should be rewritten, or it may confirm a copy that is out of date: the inner service is asked
    /// for the whole.
    AskAgain,
    /// It may be one. If it turns out that the whole is not rewritten, this response stands.
    AskAgainToBeSure,
}

impl<R> Asked<R> {
    /// Reads a request's head and changes what the inner service must not see; `None` if its response is to be left
    /// alone. With it comes the head with which the inner service can be asked again, if it may come to that.
    pub(crate) fn read<B>(
        options: &Arc<Options<R>>,
        request: &mut Request<B>,
    ) -> Option<(Self, Option<Request<()>>)> {
        if let Some(only) = &options.only
            && !head::shown(request, |head| only(head))
        {
            return None;
        }
        // One pass, since most requests have neither: to look up a name costs as much as to compare it with those of a dozen lines.
        let (mut conditional, mut ranged) = (false, false);
        for name in request.headers().keys() {
            conditional |= *name == IF_NONE_MATCH;
            ranged |= *name == RANGE;
        }
        let mut asked = Self {
            options: options.clone(),
            kind: RequestKind::of(request.method()),
            is_get: request.method() == Method::GET,
            choose: match &options.choose {
                Choose::ByResponse(_) => None,
                Choose::ByRequest(choose) => Some(head::shown(request, |head| choose(head))),
            },
            conditional,
            copies: Copies::default(),
        };
        if options.identity {
            let identity = HeaderValue::from_static("identity");
            request.headers_mut().insert(ACCEPT_ENCODING, identity);
        }
        if !asked.conditional && !ranged {
            return Some((asked, None));
        }
        let again = asked.read_conditions(request);
        Some((asked, again))
    }

    fn read_conditions<B>(&mut self, request: &mut Request<B>) -> Option<Request<()>> {
        let copies = Copies::named_in(request.headers());
        match *request.method() {
            // The content is gone once it was asked; nobody has to know ranges or conditions.
            Method::GET | Method::HEAD if has_content(request.headers()) => {
                remove_range(request.headers_mut());
                None
            }
            Method::GET | Method::HEAD => {
                if copies.are_all_foreign() && !request.headers().contains_key(RANGE) {
                    return None;
                }
                // The client's own words, but for the range.
                let mut again = head::copied(request);
                remove_range(again.headers_mut());
                if !copies.are_all_foreign() {
                    take_tags_out(request.headers_mut());
                    self.copies = copies;
                }
                Some(again)
            }
            // "Only if it is not what I have", before a change: what it has is a rewritten copy.
            _ => {
                if !copies.are_all_foreign() {
                    take_tags_out(request.headers_mut());
                }
                None
            }
        }
    }
}

impl<R: Rewriter> Asked<R> {
    /// Whether the response's status and type say already that it is left alone.
    pub(crate) fn passes<B>(&self, response: &Response<B>) -> bool {
        let types = &self.options.types;
        !matches!(
            response.status(),
            StatusCode::NOT_MODIFIED | StatusCode::RANGE_NOT_SATISFIABLE
        ) && types.find_in(response.headers()).is_none()
    }

    pub(crate) fn treat(&self, response: &response::Parts, can_ask_again: bool) -> Treatment<R> {
        let types = &self.options.types;
        if response.status == StatusCode::NOT_MODIFIED && !self.copies.are_all_foreign() {
            return self.treat_confirmation(response);
        }
        // Its type may be the error page's.
        if response.status == StatusCode::RANGE_NOT_SATISFIABLE && can_ask_again {
            return Treatment::AskAgainToBeSure;
        }
        let eligible = Eligible::of(self.kind, response, types);
        let foreign = self.conditional && response.status == StatusCode::NOT_MODIFIED;
        if eligible == Eligible::No || foreign {
            return Treatment::Untouched;
        }
        let Some((rewriter, tag)) = self.rewriter(response) else {
            return Treatment::Untouched;
        };
        match eligible {
            Eligible::No => Treatment::Untouched,
            Eligible::Part => Treatment::AskAgain,
            Eligible::Whole if self.is_get => Treatment::Rewritten(rewriter, tag),
            Eligible::Whole => Treatment::Outcome(rewriter),
            Eligible::HeadOnly => Treatment::HeadersOnly(rewriter, tag),
        }
    }

    /// A 304 to a client that has copies from here.
    fn treat_confirmation(&self, response: &response::Parts) -> Treatment<R> {
        let etag = EntityTag::of(&response.headers, &ETAG);
        if self.copies.are_beside(etag) {
            return Treatment::Untouched;
        }
        if Eligible::of_copy(self.kind, response, &self.options.types) == Eligible::No {
            return Treatment::AskAgain;
        }
        // What would be done to the 200 that it stands for.
        let mut whole = response.clone();
        whole.status = StatusCode::OK;
        match self.rewriter(&whole) {
            Some((rewriter, Some(tag))) if self.copies.are_confirmed(etag, tag) => {
                Treatment::HeadersOnly(rewriter, Some(tag))
            }
            _ => Treatment::AskAgain,
        }
    }

    fn rewriter(&self, response: &response::Parts) -> Option<(R, Option<Tag>)> {
        let rewriter = match (&self.choose, &self.options.choose) {
            (Some(choose), _) => choose(response),
            (None, Choose::ByResponse(choose)) => choose(response),
            (None, Choose::ByRequest(_)) => None,
        }?;
        let tag = rewriter.tag().map(|tag| tag.and(self.options.types.tag()));
        Some((rewriter, tag))
    }
}

/// Whether a request's content begins after its head, as far as the head says (RFC 9112, section 6). HTTP/2 may leave it open; content of GET
/// means nothing in general (RFC 9110, section 9.3.1).
fn has_content(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers
            .get_all(CONTENT_LENGTH)
            .iter()
            .any(|length| length != "0")
}

/// A server may always ignore `Range` (RFC 9110, section 14.2).
fn remove_range(headers: &mut HeaderMap) {
    headers.remove(RANGE);
    headers.remove(IF_RANGE);
}
