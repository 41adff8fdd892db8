//! How the client programs of MariaDB and MySQL are told which server and database is meant.

use secrecy::ExposeSecret;

use super::connection::{Address, Target};
use super::programs::Tool;
use crate::process::Program;

impl Target {
    /// This program, about to connect to the server; the database is not named yet. The password goes through the environment, since it
    /// is then on no disk and in no list of processes: only this account and root, who can read the reference anyway, can read a
    /// process's environment.
    pub(crate) fn client(&self, tool: &Tool) -> Program {
        let program = Program::new(&tool.path).arg("--no-defaults");
        let program = match &self.address {
            Address::Socket(socket) => program.arg("--protocol=socket").arg(format!("--socket={}", socket.display())),
            Address::Tcp(host, port) => self.tls.tell(
                program.arg("--protocol=tcp").arg(format!("--host={host}")).arg(format!("--port={port}")),
                tool.is_mariadb(),
            ),
        };
        let program = program.arg(format!("--user={}", self.user));
        match &self.password {
            Some(password) => program.env("MYSQL_PWD", password.expose_secret()),
            None => program,
        }
    }
}
