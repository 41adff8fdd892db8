//! Uploads over HTTP that keep a pace. Downloads need nothing of the kind: who reads them slowly is sent them slowly.

use std::convert::Infallible;

use bytes::Bytes;
use futures::{Stream, stream};
use http::header::CONTENT_LENGTH;
use http::{Request, Response};
use opendal::{Buffer, ErrorKind, HttpBody, HttpTransport, HttpTransporter};

use crate::pace::Pace;

/// Sends the bodies of requests at a pace, and everything else as it would be sent without.
pub(super) struct PacedTransport {
    pace: Pace,
    client: reqwest::Client,
    plain: HttpTransporter,
}

impl PacedTransport {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, client: reqwest::Client::new(), plain: HttpTransporter::default() }
    }
}

impl HttpTransport for PacedTransport {
    async fn fetch(&self, request: Request<Buffer>) -> opendal::Result<Response<HttpBody>> {
        if request.body().is_empty() {
            return self.plain.fetch(request).await;
        }
        let (mut parts, body) = request.into_parts();
        // A stream tells no length of its own, and stores want one.
        parts.headers.insert(CONTENT_LENGTH, body.len().into());
        let body = reqwest::Body::wrap_stream(paced(body.to_bytes(), self.pace.clone()));
        let request = Request::from_parts(parts, body).try_into().map_err(failed)?;
        let answer = self.client.execute(request).await.map_err(failed)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.map_err(failed)?;
        let length = body.len() as u64;
        let mut response = Response::new(HttpBody::new(stream::iter([Ok(Buffer::from(body))]), Some(length)));
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        Ok(response)
    }
}

/// The body in pieces, each when its time has come.
fn paced(body: Bytes, pace: Pace) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(body, move |mut rest| {
        let pace = pace.clone();
        async move {
            let piece = rest.split_to(pace.piece().min(rest.len()));
            pace.pass(piece.len()).await;
            (!piece.is_empty()).then_some((Ok(piece), rest))
        }
    })
}

/// Whatever hinders a request on its way may be gone the next time.
fn failed(cause: reqwest::Error) -> opendal::Error {
    opendal::Error::new(ErrorKind::Unexpected, "sending an HTTP request")
        .set_temporary()
        .set_source(cause.without_url())
}
