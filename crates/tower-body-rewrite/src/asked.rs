//! The conditions and ranges of a request: they decide how its response is treated, and the inner
//! service sees them changed.

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
    tag::{Copies, remove_tags},
};

/// The state of a request while the inner service works.
pub(crate) struct Asked<R> {
    options: Arc<Options<R>>,
    kind: RequestKind,
    is_get: bool,
    /// The function that `from_request` made of this request.
    choose: Option<Box<ResponseFn<R>>>,
    /// Whether the request has a condition on entity tags.
    conditional: bool,
    /// Whether it asks for a part.
    ranged: bool,
    /// The client's copies, if some of them are from a layer like this one. They are boxed, because
    /// few requests have any, and all move this.
    copies: Option<Box<Copies>>,
}

/// The treatment of a response.
pub(crate) enum Treatment<R> {
    /// It passes unchanged.
    Untouched,
    /// It has no body, but its headers change as if it had one.
    HeadersOnly(R, Option<Tag>),
    /// Its body is rewritten.
    Rewritten(R, Option<Tag>),
    /// Its body is rewritten, and its validators are not those of the body.
    Outcome(R),
    /// It is a part of a body that should be rewritten, or it may confirm an outdated copy. The
    /// inner service is called again for the whole response.
    AskAgain,
    /// It may be a part of a body that should be rewritten. The inner service is called again. If
    /// the whole response is not rewritten, this response stands.
    AskAgainToBeSure,
}

impl<R> Asked<R> {
    /// Reads a request's head, and requests bodies without an encoding if that is on. Returns
    /// `None` if the response passes unchanged.
    // `stack/five-layers`
    #[inline]
    pub(crate) fn read<B>(options: &Arc<Options<R>>, request: &mut Request<B>) -> Option<Self> {
        if let Some(only) = &options.only
            && !head::shown(request, |head| only(head))
        {
            return None;
        }
        // It is one pass, because most requests have neither. To look up a name costs as much as to
        // compare it with a dozen names.
        let (mut conditional, mut ranged) = (false, false);
        for name in request.headers().keys() {
            conditional |= *name == IF_NONE_MATCH;
            ranged |= *name == RANGE;
        }
        let choose = match &options.choose {
            Choose::ByResponse(_) => None,
            Choose::ByRequest(choose) => Some(head::shown(request, |head| choose(head))),
        };
        if options.identity {
            let identity = HeaderValue::from_static("identity");
            request.headers_mut().insert(ACCEPT_ENCODING, identity);
        }
        Some(Self {
            options: options.clone(),
            kind: RequestKind::of(request.method()),
            is_get: request.method() == Method::GET,
            choose,
            conditional,
            ranged,
            copies: None,
        })
    }

    /// Returns whether the request has conditions or a range, see
    /// [`read_conditions`](Self::read_conditions).
    pub(crate) fn has_conditions(&self) -> bool {
        self.conditional || self.ranged
    }

    /// Changes the conditions that the inner service must not see. Returns the head for a second
    /// call, if there may be one.
    pub(crate) fn read_conditions<B>(&mut self, request: &mut Request<B>) -> Option<Request<()>> {
        let copies = Copies::named_in(request.headers());
        match *request.method() {
            // The content can be sent only once. A server may ignore ranges and conditions.
            Method::GET | Method::HEAD if has_content(request.headers()) => {
                remove_range(request.headers_mut());
                None
            }
            Method::GET | Method::HEAD => {
                if copies.are_all_foreign() && !request.headers().contains_key(RANGE) {
                    return None;
                }
                // The head as the client sent it, except for the range.
                let mut again = head::copied(request);
                remove_range(again.headers_mut());
                if !copies.are_all_foreign() {
                    remove_tags(request.headers_mut());
                    self.copies = Some(Box::new(copies));
                }
                Some(again)
            }
            // A condition of a change. The client's copy may be rewritten.
            _ => {
                if !copies.are_all_foreign() {
                    remove_tags(request.headers_mut());
                }
                None
            }
        }
    }
}

impl<R: Rewriter> Asked<R> {
    /// Returns whether a response with this status and type passes unchanged.
    pub(crate) fn passes<B>(&self, response: &Response<B>) -> bool {
        let types = &self.options.types;
        !matches!(
            response.status(),
            StatusCode::NOT_MODIFIED | StatusCode::RANGE_NOT_SATISFIABLE
        ) && !types.may_be_in(response.headers())
    }

    pub(crate) fn treat(&self, response: &response::Parts, can_ask_again: bool) -> Treatment<R> {
        let types = &self.options.types;
        if response.status == StatusCode::NOT_MODIFIED
            && let Some(copies) = &self.copies
        {
            return self.treat_confirmation(response, copies);
        }
        // Its type may be that of the error page.
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

    /// Returns the treatment of a 304 to a client that has copies from a layer like this one.
    fn treat_confirmation(&self, response: &response::Parts, copies: &Copies) -> Treatment<R> {
        let etag = EntityTag::of(&response.headers, &ETAG);
        if copies.are_beside(etag) {
            return Treatment::Untouched;
        }
        if Eligible::of_copy(self.kind, response, &self.options.types) == Eligible::No {
            return Treatment::AskAgain;
        }
        // The treatment is that of the 200 that it stands for.
        let mut whole = response.clone();
        whole.status = StatusCode::OK;
        match self.rewriter(&whole) {
            Some((rewriter, Some(tag))) if copies.are_confirmed(etag, tag) => {
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

/// Returns whether a request has content, according to its head (RFC 9112, section 6). In HTTP/2
/// the head may not show it. Content of GET has no meaning in general (RFC 9110, section 9.3.1).
fn has_content(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers
            .get_all(CONTENT_LENGTH)
            .iter()
            .any(|length| length != "0")
}

/// Removes the range of a request. A server may always ignore it (RFC 9110, section 14.2).
fn remove_range(headers: &mut HeaderMap) {
    headers.remove(RANGE);
    headers.remove(IF_RANGE);
}
