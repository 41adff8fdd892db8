//! The API of a container engine, on its unix socket: <https://docs.docker.com/reference/api/engine/>. Paths carry no version, so that
//! each engine answers in its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, Kind, Result};

/// Docker's own socket.
const USUAL: &str = "unix:///var/run/docker.sock";
/// Where Docker's client looks for another.
const VARIABLE: &str = "DOCKER_HOST";
/// How long an answer may take; to stop a container takes longest.
const ANSWER: Duration = Duration::from_secs(60);

/// A container engine.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    client: Client,
    socket: PathBuf,
}

impl Engine {
    /// The engine at the address that the scenario gives, or where Docker's own client would look. It is not asked yet.
    ///
    /// # Errors
    /// [`Kind::Config`] for an address that is no unix socket: the engine must see the files that drillctl sees.
    pub(crate) fn named(address: Option<&str>) -> Result<Self> {
        let from_environment = || std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
        let address = address.map(str::to_owned).or_else(from_environment).unwrap_or_else(|| USUAL.into());
        let socket = address.strip_prefix("unix://").ok_or_else(|| {
            Error::new(Kind::Config, format!("the container engine at {address} is behind no unix socket"))
                .hint("Restored data is mounted, so it must be the engine of this host: `engine: unix:///var/run/docker.sock`.")
        })?;
        Self::at(Path::new(socket))
    }

    /// The engine behind this socket.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if no client can be made.
    pub(crate) fn at(socket: &Path) -> Result<Self> {
        crate::install_tls();
        let client = Client::builder().no_proxy().unix_socket(socket).build();
        let client =
            client.map_err(|cause| Error::new(Kind::Unavailable, "making a client of the engine").because(cause))?;
        Ok(Self { client, socket: socket.into() })
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// What there is at this path.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if there is nothing; see [`Engine::post`].
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T> {
        let answer = self.answer(self.request(Method::GET, path, query).timeout(ANSWER)).await?;
        self.read(answer).await
    }

    /// Has something done, and returns the answer, which is nothing where the engine has nothing to say.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if the engine can't be reached or fails, [`Kind::Config`] if it can't do that, [`Kind::NotFound`] for what is
    /// not there, [`Kind::Refused`] for what there is already.
    pub(crate) async fn post(&self, path: &str, query: &[(&str, &str)], body: Option<&Value>) -> Result<Value> {
        let mut request = self.request(Method::POST, path, query).timeout(ANSWER);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let answer = self.answer(request).await?;
        if answer.status() == StatusCode::NO_CONTENT { Ok(Value::Null) } else { self.read(answer).await }
    }

    /// Hands it an archive.
    ///
    /// # Errors
    /// As for [`Engine::post`].
    pub(crate) async fn import(&self, path: &str, query: &[(&str, &str)], archive: Vec<u8>) -> Result<()> {
        let request = self.request(Method::POST, path, query).timeout(ANSWER);
        let answer = self.answer(request.header(CONTENT_TYPE, "application/x-tar").body(archive)).await?;
        // It says that it goes well before it knows: what went wrong comes in the text.
        let told = answer.text().await.map_err(|cause| self.silent(cause))?;
        if told.contains("\"errorDetail\"") {
            return Err(
                Error::new(Kind::Unavailable, "the container engine takes no image of the sandbox").because(told)
            );
        }
        Ok(())
    }

    /// Removes what is at this path; nothing there is fine too, and then the answer is false.
    ///
    /// # Errors
    /// As for [`Engine::post`].
    pub(crate) async fn delete(&self, path: &str, query: &[(&str, &str)]) -> Result<bool> {
        match self.answer(self.request(Method::DELETE, path, query).timeout(ANSWER)).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == Kind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An answer that comes as long as something goes on.
    ///
    /// # Errors
    /// As for [`Engine::post`].
    pub(super) async fn follow(&self, path: &str, query: &[(&str, &str)]) -> Result<Response> {
        self.answer(self.request(Method::GET, path, query)).await
    }

    /// The same of something that is begun by it.
    ///
    /// # Errors
    /// As for [`Engine::post`].
    pub(super) async fn begin(&self, path: &str, body: &Value) -> Result<Response> {
        let request = self.request(Method::POST, path, &[]);
        self.answer(request.header(CONTENT_TYPE, "application/json").body(body.to_string())).await
    }

    fn request(&self, method: Method, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
        let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        self.client.request(method, format!("http://engine{path}?{query}"))
    }

    pub(super) async fn read<T: DeserializeOwned>(&self, answer: Response) -> Result<T> {
        let bytes = answer.bytes().await.map_err(|cause| self.silent(cause))?;
        serde_json::from_slice(&bytes)
            .map_err(|cause| Error::new(Kind::Unavailable, "an answer of the container engine").because(cause))
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Response> {
        let answer = request.send().await.map_err(|cause| self.silent(cause))?;
        let kind = match answer.status() {
            status if status.is_success() => return Ok(answer),
            StatusCode::NOT_FOUND => Kind::NotFound,
            StatusCode::CONFLICT => Kind::Refused,
            StatusCode::BAD_REQUEST => Kind::Config,
            _ => Kind::Unavailable,
        };
        let text = answer.text().await.unwrap_or_default();
        let told: Option<Value> = serde_json::from_str(&text).ok();
        let told = told.and_then(|told| told["message"].as_str().map(str::to_owned)).unwrap_or(text);
        Err(Error::new(kind, format!("the container engine says: {}", told.trim())))
    }

    fn silent(&self, cause: reqwest::Error) -> Error {
        let what = format!("asking the container engine at {}", self.socket.display());
        Error::new(Kind::Unavailable, what).because(cause.without_url()).hint(
            "Start it (`systemctl start docker`), and let the account that runs drillctl use its socket: `usermod -aG docker NAME`.",
        )
    }
}
