//! What a container writes, as the engine hands it on: both outputs in one stream, each piece with a header that tells which it is of and how
//! long (<https://docs.docker.com/reference/api/engine/>, "Attach to a container").

use bytes::{Buf, BytesMut};
use reqwest::Response;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;

use super::Engine;
use crate::Result;

const HEADER: usize = 8;
const STDERR: u8 = 2;

/// Hands the pieces on to the two outputs until the container has ended or nobody reads any more.
pub(super) async fn hand_on(mut answer: Response, mut stdout: pipe::Sender, mut stderr: pipe::Sender) {
    let mut came = BytesMut::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        came.extend_from_slice(&piece);
        while let Some((stream, text)) = next(&mut came) {
            let output = if stream == STDERR { &mut stderr } else { &mut stdout };
            if output.write_all(&text).await.is_err() {
                return;
            }
        }
    }
}

/// What a container wrote last.
///
/// # Errors
/// Those of the engine.
pub(crate) async fn last_words(engine: &Engine, id: &str) -> Result<String> {
    let query = [("stdout", "true"), ("stderr", "true"), ("tail", "5")];
    let mut answer = engine.follow(&format!("/containers/{id}/logs"), &query).await?;
    let (mut came, mut words) = (BytesMut::new(), String::new());
    while let Ok(Some(piece)) = answer.chunk().await {
        came.extend_from_slice(&piece);
    }
    while let Some((_, text)) = next(&mut came) {
        words.push_str(&String::from_utf8_lossy(&text));
    }
    Ok(words.trim_end().to_owned())
}

/// The next piece, once it is there whole.
fn next(came: &mut BytesMut) -> Option<(u8, BytesMut)> {
    let header: [u8; HEADER] = came.get(..HEADER)?.try_into().ok()?;
    let [stream, _, _, _, length @ ..] = header;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    if came.len() < HEADER.checked_add(length)? {
        return None;
    }
    came.advance(HEADER);
    Some((stream, came.split_to(length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_whole_and_in_order_however_they_are_cut() {
        let sent =
            [&[1, 0, 0, 0, 0, 0, 0, 3][..], b"out", &[2, 0, 0, 0, 0, 0, 0, 4], b"err\n", &[1, 0, 0, 0, 0, 0, 0, 0]]
                .concat();
        let (mut came, mut pieces) = (BytesMut::new(), Vec::new());
        for byte in sent {
            came.extend_from_slice(&[byte]);
            while let Some((stream, text)) = next(&mut came) {
                pieces.push((stream, text.to_vec()));
            }
        }
        assert_eq!(pieces, [(1, b"out".to_vec()), (2, b"err\n".to_vec()), (1, Vec::new())]);
        assert!(came.is_empty());
    }
}
