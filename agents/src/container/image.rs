//! The image of an app: that it is there, and is the one that the scenario names.

use std::collections::BTreeMap;

use drill_scenarios::Image;
use serde::Deserialize;

use super::Engine;
use crate::{Error, Kind, Result};

/// An image that is there.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Its id, the digest of its own description.
    pub(crate) id: String,
    /// Folders that it wants to be volumes.
    pub(crate) volumes: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    id: String,
    repo_digests: Option<Vec<String>>,
    config: Option<Config>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    volumes: Option<BTreeMap<String, serde::de::IgnoredAny>>,
}

/// Looks for it on this host.
///
/// # Errors
/// [`Kind::Config`] if it isn't there, with what gets it; [`Kind::Refused`] if the engine shows another in its place.
pub(crate) async fn find(engine: &Engine, image: &Image) -> Result<Found> {
    let told: Told = match engine.get(&format!("/images/{image}/json"), &[]).await {
        Err(error) if error.kind() == Kind::NotFound => return Err(absent(image)),
        told => told?,
    };
    if !is_it(image, &told) {
        let message = format!("the container engine shows image {} for {image}, which has another digest", told.id);
        return Err(
            Error::new(Kind::Refused, message).hint("Look at it with `docker image inspect`, and pull it again.")
        );
    }
    let volumes = told.config.and_then(|config| config.volumes).unwrap_or_default();
    Ok(Found { id: told.id, volumes: volumes.into_keys().collect() })
}

/// Whether it is the one that is named, by its own id or by a digest that it came under.
fn is_it(image: &Image, told: &Told) -> bool {
    let digest = |text: &str| text.rsplit(['@', ':']).next().unwrap_or_default().to_owned();
    let wanted = digest(image.as_str());
    let came_under = told.repo_digests.iter().flatten().any(|came| digest(came) == wanted);
    digest(&told.id) == wanted || !image.is_id() && came_under
}

fn absent(image: &Image) -> Error {
    let get = if image.is_id() {
        "Build or load it on this host, and write the id that `docker images --no-trunc` shows.".into()
    } else {
        format!("Get it: `docker pull {image}`.")
    };
    Error::new(Kind::Config, format!("image {image} is not on this host, and nothing is pulled")).hint(get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_the_one_that_is_named_only_by_digest() {
        let (one, other) = ("1".repeat(64), "2".repeat(64));
        let told = |id: &str, came: &[String]| Told { id: id.into(), repo_digests: Some(came.to_vec()), config: None };
        let by_id: Image = format!("sha256:{one}").parse().expect("an image");
        let by_digest: Image = format!("registry.example.org/wiki@sha256:{one}").parse().expect("an image");
        assert!(is_it(&by_id, &told(&format!("sha256:{one}"), &[])));
        assert!(is_it(&by_id, &told(&one, &[])), "Podman writes no algorithm");
        assert!(!is_it(&by_id, &told(&format!("sha256:{other}"), &[format!("wiki@sha256:{one}")])));
        assert!(is_it(&by_digest, &told(&other, &[format!("mirror/wiki@sha256:{one}")])));
        assert!(!is_it(&by_digest, &told(&format!("sha256:{other}"), &[format!("wiki@sha256:{other}")])));
    }
}
