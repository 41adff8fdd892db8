//! A real Redis server to be drilled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::must;

/// A server that listens on a unix socket and keeps nothing on disk; it ends when it is dropped.
pub struct RedisServer {
    folder: tempfile::TempDir,
    child: Child,
}

impl RedisServer {
    /// Starts an empty server.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("rd").tempdir_in("/tmp").expect("a temporary folder");
        let mut server = Command::new("redis-server");
        server.args(["--port", "0", "--save", "", "--repl-diskless-sync-delay", "0", "--unixsocket"]);
        server.arg(folder.path().join("s")).arg("--dir").arg(folder.path());
        let started = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = started.expect("redis-server: `tests/install` installs what tests need");
        let server = Self { folder, child };
        let since = Instant::now();
        while !server.socket().exists() {
            assert!(since.elapsed() < Duration::from_secs(30), "the server of the tests does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// URL of the server.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Listens on loopback too; returns the port.
    pub fn listen(&self) -> String {
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.expect("a free port").port().to_string();
        self.send(&["CONFIG", "SET", "bind", "127.0.0.1"]);
        self.send(&["CONFIG", "SET", "port", &port]);
        port
    }

    /// Sends one command; returns what is answered.
    pub fn send(&self, command: &[&str]) -> String {
        let mut client = Command::new("redis-cli");
        let output = must(client.arg("-e").arg("-s").arg(self.socket()).args(command));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Makes `count` keys, some of every type, some of which expire.
    pub fn fill(&self, count: u64) {
        let script = self.folder.path().join("fill.lua");
        fs::write(&script, FILL).expect("a script");
        let mut client = Command::new("redis-cli");
        client.arg("-s").arg(self.socket()).arg("--eval").arg(script).args([",", &count.to_string()]);
        must(&mut client);
    }

    fn socket(&self) -> PathBuf {
        Path::join(self.folder.path(), "s")
    }
}

const FILL: &str = "
for i = 1, tonumber(ARGV[1]) do
  local kind = i % 10
  if kind < 4 then redis.call('SET', 'string:' .. i, 'value ' .. i)
  elseif kind == 4 then redis.call('SET', 'session:' .. i, i, 'EX', 100000 + i)
  elseif kind == 5 then redis.call('HSET', 'hash:' .. i, 'name', 'name ' .. i, 'age', i % 90)
  elseif kind == 6 then redis.call('RPUSH', 'list:' .. i, i, 'a', 'b')
  elseif kind == 7 then redis.call('SADD', 'set:' .. i, i, 'a', 'b')
  elseif kind == 8 then redis.call('ZADD', 'scores:' .. i, i / 8, 'a', 2, 'b')
  else redis.call('XADD', 'stream:' .. i, i .. '-1', 'sku', i) end
end
return 'filled'
";

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
