//! One member of a cluster that is asked through its JSON gateway: requests, their answers, and who asks.

use std::time::Duration;

use reqwest::{Client, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::address::{Address, Endpoint, Login};
use super::message::{Authenticate, Bytes, Found, Header, Nothing, Range, Status, Token};
use super::refused::Refusal;
use crate::{Error, Identity, Kind, Result};

/// How long a member may take to tell how it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of one answer at most.
const LARGEST: usize = 64 << 20;

/// A member that answers and follows a leader, asked by whom the cluster knows.
#[derive(Debug)]
pub(crate) struct Connection {
    client: Client,
    member: Endpoint,
    login: Option<Login>,
    token: Option<SecretString>,
    pub(super) about: About,
    /// Members that were tried before, and why they could not be used.
    pub(crate) passed_over: Vec<String>,
}

/// Who answers.
#[derive(Debug, Default)]
pub(super) struct About {
    pub(super) cluster_id: u64,
    pub(super) member_id: u64,
    pub(super) version: String,
    pub(super) db_bytes: u64,
}

impl Connection {
    /// Connects to the first member that can be used.
    ///
    /// # Errors
    /// [`Kind::Denied`] for a wrong user or none, [`Kind::Unavailable`] if no member can be used.
    pub(crate) async fn open(address: &Address) -> Result<Self> {
        let mut passed_over = Vec::new();
        let mut last = Error::new(Kind::Config, "no member of etcd is named");
        for member in &address.members {
            match Self::to(address, member).await {
                Ok(connection) => return Ok(Self { passed_over, ..connection }),
                Err(error) if error.is_temporary() => {
                    passed_over.push(format!("{member}: {}", error.chain()));
                    last = error;
                }
                Err(error) => return Err(error),
            }
        }
        if passed_over.len() > 1 {
            let message = format!("none of {} members of etcd can be used", passed_over.len());
            return Err(Error::new(Kind::Unavailable, message).because(last).hint(START_IT).temporary());
        }
        Err(last)
    }

    /// The member must have a leader, and be as far as the others: what it holds may be old otherwise.
    async fn to(address: &Address, member: &Endpoint) -> Result<Self> {
        let (client, member, login) = (address.client(member)?, member.clone(), address.login.clone());
        let mut connection =
            Self { client, member, login, token: None, about: About::default(), passed_over: Vec::new() };
        // A member that has never seen a leader keeps whoever asks waiting.
        let status = tokio::time::timeout(PATIENCE, connection.ask("maintenance/status", &Nothing {})).await;
        let status: Status = status.unwrap_or_else(|_| Err(connection.without_leader()))?;
        if status.leader == 0 {
            return Err(connection.without_leader());
        }
        let Header { cluster_id, member_id, .. } = status.header;
        connection.about = About { cluster_id, member_id, version: status.version, db_bytes: status.db_bytes };
        let first = Range { key: Bytes(vec![0]), ..Range::default() };
        match connection.answered("kv/range", &first).await? {
            Err(refusal) if refusal.wants_a_user() && connection.login.is_some() => connection.log_in().await?,
            answer => drop(answer.map_err(|refusal| refusal.error(&connection.doing("kv/range")))?),
        }
        Ok(connection)
    }

    fn without_leader(&self) -> Error {
        Error::new(Kind::Unavailable, format!("the member of etcd at {} has no leader", self.member))
            .hint("What it holds may be old. Mend the cluster, or name a member that is in touch with the others.")
            .temporary()
    }

    /// Who the cluster is, and the member's version.
    pub(crate) fn identity(&self) -> Identity {
        Identity::new("etcd", [("cluster_id", self.cluster()), ("version", self.about.version.clone())])
    }

    /// Id of the cluster, as `etcdctl` writes it.
    pub(crate) fn cluster(&self) -> String {
        format!("{:x}", self.about.cluster_id)
    }

    /// Bytes of the member's database.
    pub(crate) fn db_bytes(&self) -> u64 {
        self.about.db_bytes
    }

    /// Whether the cluster asks who one is.
    pub(super) fn asks_for_users(&self) -> bool {
        self.token.is_some()
    }

    /// The revision of the store now, by the word of all members.
    ///
    /// # Errors
    /// Those of [`Connection::ask`]; [`Kind::Config`] if another member answers than at first.
    pub(crate) async fn revision(&mut self) -> Result<i64> {
        let Found { header, .. } = self.ask("kv/range", &Range { key: Bytes(vec![0]), ..Range::default() }).await?;
        if header.member_id != self.about.member_id {
            let message = format!("several members of etcd answer at {}, now this one and now that", self.member);
            return Err(Error::new(Kind::Config, message)
                .hint("Name the members themselves in `endpoints`, not what distributes connections to them."));
        }
        Ok(header.revision)
    }

    /// Asks something.
    ///
    /// # Errors
    /// What etcd says, as a kind; [`Kind::Unavailable`] if nobody answers.
    pub(super) async fn ask<T: DeserializeOwned>(
        &mut self,
        path: &str,
        request: &(impl Serialize + Sync),
    ) -> Result<T> {
        let body = match self.answered(path, request).await? {
            Err(refusal) if refusal.wants_another_token() && self.login.is_some() => {
                // Tokens are forgotten after a while, and what is read may be much.
                self.log_in().await?;
                self.answered(path, request).await?
            }
            answer => answer,
        };
        let body = body.map_err(|refusal| refusal.error(&self.doing(path)))?;
        serde_json::from_slice(&body).map_err(|cause| {
            Error::new(Kind::Unavailable, format!("{}: no answer of etcd", self.doing(path))).because(cause)
        })
    }

    /// Asks for something that comes as a stream of lines.
    ///
    /// # Errors
    /// As for [`Connection::ask`].
    pub(super) async fn stream(&mut self, path: &str) -> Result<Response> {
        let response = self.send(path, &Nothing {}).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.whole(path, response).await?;
        Err(Refusal::of(status, &body).error(&self.doing(path)))
    }

    /// Says who asks, if the cluster wants to know.
    async fn log_in(&mut self) -> Result<()> {
        let Some(Login { user, password }) = self.login.clone() else { return Ok(()) };
        let path = "auth/authenticate";
        self.token = None;
        let who = Authenticate { name: &user, password: password.expose_secret() };
        let body = self.answered(path, &who).await?.map_err(|refusal| refusal.error(&self.doing(path)))?;
        let token: Token = serde_json::from_slice(&body)
            .map_err(|_| Error::new(Kind::Unavailable, format!("{}: no token was given", self.doing(path))))?;
        self.token = Some(token.token.into());
        Ok(())
    }

    /// The body of the answer, or what etcd says against it.
    async fn answered(
        &self,
        path: &str,
        request: &(impl Serialize + Sync),
    ) -> Result<std::result::Result<Vec<u8>, Refusal>> {
        let response = self.send(path, request).await?;
        let status = response.status();
        let body = self.whole(path, response).await?;
        Ok(if status.is_success() { Ok(body) } else { Err(Refusal::of(status, &body)) })
    }

    async fn send(&self, path: &str, request: &(impl Serialize + Sync)) -> Result<Response> {
        let body = serde_json::to_vec(request).expect("a request is plain JSON");
        let mut sent = self.client.post(self.member.url(&format!("/v3/{path}"))).body(body);
        if let Some(token) = &self.token {
            let mut token: reqwest::header::HeaderValue = token
                .expose_secret()
                .parse()
                .map_err(|_| Error::new(Kind::Unavailable, "etcd gave a token that can't be sent"))?;
            token.set_sensitive(true);
            sent = sent.header(reqwest::header::AUTHORIZATION, token);
        }
        sent.send().await.map_err(|cause| self.broken(path, cause))
    }

    async fn whole(&self, path: &str, mut response: Response) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|cause| self.broken(path, cause))? {
            if body.len() + piece.len() > LARGEST {
                let message = format!("{}: the answer has more than {LARGEST} bytes", self.doing(path));
                return Err(Error::new(Kind::Exhausted, message));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// What is asked of whom, for messages.
    pub(super) fn doing(&self, path: &str) -> String {
        format!("{path} of etcd at {}", self.member)
    }

    /// The error that a connection which failed is.
    pub(super) fn broken(&self, path: &str, cause: reqwest::Error) -> Error {
        Error::new(Kind::Unavailable, self.doing(path)).because(cause.without_url()).hint(START_IT).temporary()
    }
}

const START_IT: &str =
    "Check that the member runs, that its client address is right, and with TLS that `ca` vouches for it.";
