//! The sandbox: what programs in it can't do, what they can, and what a drill makes of their attempts.

mod ends;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Cluster, Mariadb, World, check, must};

const SERVES: &str = "{argv: [python3, -m, http.server, --bind, 127.0.0.1, '${DRILL_PORT}'], \
                      ready: {probe: {http: {url: 'http://127.0.0.1:${DRILL_PORT}/data'}}}}";

/// An app that runs this script, in Python, and serves the restored data afterwards.
fn app(world: &World, script: &str) -> String {
    let serve = "import http.server as h, os\n\
                 port = int(os.environ['DRILL_PORT'])\n\
                 h.ThreadingHTTPServer(('127.0.0.1', port), h.SimpleHTTPRequestHandler).serve_forever()\n";
    world.write("input/app.py", format!("{script}\n{serve}"));
    SERVES.replace("-m, http.server, --bind, 127.0.0.1, '${DRILL_PORT}'", "app.py")
}

/// A check that runs this script, in Python, which prints nothing if all is well.
fn silent(world: &World, script: &str) -> String {
    world.write("input/check.py", script);
    "[{name: silence, probe: {command: {argv: [python3, check.py]}}, \
       expect: {exit: {equals: 0}, stdout: {equals: ''}}}]"
        .into()
}

fn findings(record: &Value) -> String {
    record["findings"].to_string()
}

fn isolation(record: &Value) -> String {
    record["environment"]["isolation"].to_string()
}

/// Control groups of runs of this world.
fn groups(world: &World) -> Vec<PathBuf> {
    let runs: Vec<String> = world
        .runs()
        .iter()
        .map(|run| format!("drillctl-{}", run.file_name().expect("an id").to_string_lossy()))
        .collect();
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::from("/sys/fs/cgroup")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if runs.iter().any(|run| entry.file_name() == run.as_str()) {
                found.push(entry.path());
            }
            folders.push(entry.path());
        }
    }
    found
}

/// Processes of this host whose command line holds `word`.
fn processes(word: &str) -> usize {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(word)).count()
}

/// Processes that carry the mark of a run of this world.
fn marked(world: &World) -> usize {
    let runs: Vec<String> = world
        .runs()
        .iter()
        .map(|run| format!("DRILLCTL_RUN={}", run.file_name().expect("an id").to_string_lossy()))
        .collect();
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let environs = processes.filter_map(|process| fs::read(process.path().join("environ")).ok());
    environs.filter(|environ| runs.iter().any(|run| String::from_utf8_lossy(environ).contains(run))).count()
}

/// Nothing of the sandbox is left, or it is on its way out: no control group and no process.
fn nothing_left(world: &World) {
    let since = Instant::now();
    while !groups(world).is_empty() || marked(world) > 0 {
        assert!(since.elapsed() < Duration::from_secs(5), "{:?} {}", groups(world), marked(world));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
}

/// Waits until a program with this word runs in the drill.
fn wait_for_process(world: &World, word: &str) {
    let since = Instant::now();
    while processes(word) == 0 {
        assert!(since.elapsed() < Duration::from_secs(60), "{}", world.newest_journal());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The number of the first process in the sandbox of the newest run: the child of its bubblewrap.
fn first_process(world: &World) -> String {
    let run = world.runs().pop().expect("a run").file_name().expect("an id").to_string_lossy().into_owned();
    let number = |wanted: &dyn Fn(&Path) -> bool| {
        let mut processes = fs::read_dir("/proc").expect("/proc").flatten();
        let found = processes.find(|process| wanted(&process.path())).expect("the process");
        found.file_name().to_string_lossy().into_owned()
    };
    let read = |path: PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let bwrap = number(&|process| {
        let line = read(process.join("cmdline"));
        line.starts_with("bwrap") && line.contains(&run)
    });
    number(&|process| read(process.join("status")).lines().any(|line| line == format!("PPid:\t{bwrap}")))
}

#[test]
fn probes_reach_the_app_inside_and_the_record_tells_what_was_proved() {
    let world = World::new();
    world.scenario(&[
        ("sandbox", "{}"),
        ("app", SERVES),
        (
            "checks",
            "[{name: http, probe: {http: {url: 'http://localhost:${DRILL_PORT}/data'}}, expect: {body: {equals: data}}},
              {name: tcp, probe: {tcp: {address: '127.0.0.1:${DRILL_PORT}', send: \"GET /data HTTP/1.0\\r\\n\\r\\n\"}}, expect: {banner: {matches: '200 OK'}}},
              {name: closed, probe: {tcp: {address: '127.0.0.1:1'}}, expect: {open: {equals: false}}},
              {name: beside, probe: {command: {argv: [python3, -c, \"import socket; socket.create_connection(('127.0.0.1', ${DRILL_PORT}))\"]}}, expect: {exit: {equals: 0}}}]",
        ),
    ]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    assert_eq!(record["assurance"], "L4");
    let told = isolation(&record);
    for said in
        ["bubblewrap", "2GiB of memory (", "every address of this host (127.0.0.1:", "the source ", "the vault "]
    {
        assert!(told.contains(said), "{said}: {told}");
    }
    assert!(!findings(&record).contains("sandbox"), "nobody tried to leave: {}", findings(&record));
    nothing_left(&world);
}

#[test]
fn nothing_outside_can_be_read_written_or_reached() {
    let world = World::new();
    let outside = TcpListener::bind("127.0.0.1:0").expect("listens");
    let port = outside.local_addr().expect("an address").port();
    let source = fs::canonicalize(world.path("input")).expect("the source");
    let looks = format!(
        "import os, socket\n\
         for path in ['/root', '/home', '/etc/shadow', '/etc/ssh', '/sys', '{0}', '{0}/../vault/snapshots', '{0}/../identity.txt']:\n\
         \x20   if os.path.exists(path): print('sees', path)\n\
         for host in ['127.0.0.1', socket.gethostname()]:\n\
         \x20   try: socket.create_connection((host, {port}), 5); print('reached', host)\n\
         \x20   except OSError: pass\n\
         if len([name for name in os.listdir('/proc') if name.isdigit()]) > 5: print('sees processes')\n\
         for name in os.environ:\n\
         \x20   if name not in 'PATH LANG LC_ALL LC_CTYPE HOME PWD DRILL_ROOT DRILL_RUN DRILL_PORT DRILLCTL_RUN'.split(): print('knows', name)\n",
        source.display(),
    );
    let touches = format!(
        "for path in ['/usr/bin/drilled', '/etc/drilled', '/drilled', '/dev/drilled', '{0}/drilled']:\n\
         \x20   try: open(path, 'w'); print('wrote', path)\n\
         \x20   except OSError: pass\n\
         try: open(os.environ['DRILL_ROOT'] + '/../../../../drilled', 'w')\n\
         except OSError: pass\n\
         for path in [os.environ['DRILL_ROOT'] + '/drilled', '/tmp/drilled', '/dev/shm/drilled']:\n\
         \x20   try: open(path, 'w').close(); os.remove(path)\n\
         \x20   except OSError as error: print('could not write', error)\n\
         try: open('/proc/1/environ'); print('reads the first process')\n\
         except OSError: pass\n\
         try: os.kill(1, 9)\n\
         except OSError: pass\n",
        source.display(),
    );
    let checks = silent(&world, &format!("{looks}{touches}"));
    world.scenario(&[("sandbox", "{}"), ("checks", &checks)]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    assert!(!world.path("state/drilled").exists(), "what is above the copy is another folder, in memory");
    outside.set_nonblocking(true).expect("set");
    assert!(outside.accept().is_err(), "somebody connected");
    nothing_left(&world);

    // The looks can fail: without a sandbox they see and reach.
    world.scenario(&[("checks", &silent(&world, &looks))]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(1), "{record:#}");
    let seen = check(&record, "silence")["observed"].to_string();
    assert!(seen.contains("sees"), "{seen}");
}

/// A way to a cluster's socket over TCP on loopback, which counts who greets it with `word`.
fn over_tcp(cluster: &Cluster, word: &'static [u8]) -> (u16, Arc<AtomicUsize>) {
    let url = cluster.url();
    let socket = Path::new(url.rsplit_once('=').expect("a folder").1).join(".s.PGSQL.5432");
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let (port, greeted) = (listener.local_addr().expect("an address").port(), Arc::<AtomicUsize>::default());
    let count = greeted.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut begin = [0; 64];
            let length = client.peek(&mut begin).unwrap_or(0);
            count.fetch_add(usize::from(begin[..length].starts_with(word)), Ordering::Relaxed);
            let Ok(server) = UnixStream::connect(&socket) else { continue };
            join(client, server);
        }
    });
    (port, greeted)
}

fn join(client: TcpStream, server: UnixStream) {
    let (mut from, mut to) = (client.try_clone().expect("cloned"), server.try_clone().expect("cloned"));
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
    let (mut from, mut to) = (server, client);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}

#[test]
fn an_app_that_sends_mail_calls_a_webhook_and_asks_the_source_database_fails_to_and_the_report_says_so() {
    let cluster = Cluster::start();
    cluster.sql("CREATE TABLE orders AS SELECT generate_series(1, 100) AS id");
    let (port, greeted) = over_tcp(&cluster, b"PRODUCTION");
    let world = World::new();
    let script = format!(
        "import socket, subprocess, http.server as h, os\n\
         for address in [('192.0.2.25', 25), ('192.0.2.25', 25), ('198.51.100.7', 443), ('127.0.0.1', {port}), ('2001:db8::7', 443)]:\n\
         \x20   try: socket.create_connection(address, 5).send(b'PRODUCTION'); raise SystemExit('reached')\n\
         \x20   except OSError: pass\n\
         socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('203.0.113.9', 514))\n\
         try: socket.getaddrinfo('hooks.example.org', 443); raise SystemExit('resolved')\n\
         except OSError: pass\n\
         count = subprocess.check_output(['psql', '-XAtqc', 'select count(*) from orders'])\n\
         class Answer(h.BaseHTTPRequestHandler):\n\
         \x20   def do_GET(self): self.send_response(200); self.end_headers(); self.wfile.write(count)\n\
         h.HTTPServer(('127.0.0.1', int(os.environ['DRILL_PORT'])), Answer).serve_forever()\n"
    );
    let script = serde_json::to_string(&script.replace('$', "$$")).expect("a text");
    world.scenario(&[
        ("source", &format!("{{postgres: {{url: 'postgresql://postgres@127.0.0.1:{port}/shop'}}}}")),
        ("scratch", "{postgres: {}}"),
        ("sandbox", "{}"),
        ("app", &format!("{{argv: [python3, -c, {script}], ready: {{probe: {{http: {{url: 'http://127.0.0.1:${{DRILL_PORT}}/'}}}}}}}}")),
        (
            "checks",
            "[{name: the app answers from its database, probe: {http: {url: 'http://127.0.0.1:${DRILL_PORT}/'}}, expect: {body: {matches: '^100'}}}]",
        ),
    ]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    let told = findings(&record);
    for said in [
        "tried to reach 192.0.2.25:25 (smtp), 2 times. Nothing left the sandbox.",
        "tried to reach 198.51.100.7:443 (https), once.",
        "tried to reach [2001:db8::7]:443 (https), once.",
        &format!("tried to reach 127.0.0.1:{port}, which is the source, once."),
        "tried to send a datagram to 203.0.113.9:514 (syslog), once.",
        "tried to look up the name hooks.example.org",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
    assert_eq!(greeted.load(Ordering::Relaxed), 0, "the source was reached");
    let mut production = TcpStream::connect(("127.0.0.1", port)).expect("from outside it can be reached");
    production.write_all(b"PRODUCTION").expect("greeted");
    let _ = production.read(&mut [0; 1]);
    assert_eq!(greeted.load(Ordering::Relaxed), 1, "and would have been counted");
    assert!(isolation(&record).contains("to reach the source at 127.0.0.1:"), "{}", isolation(&record));
    nothing_left(&world);
}

/// A port of this host, and how often somebody came to it.
fn visited() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let port = listener.local_addr().expect("an address").port();
    let visits = Arc::new(AtomicUsize::new(0));
    let counted = visits.clone();
    std::thread::spawn(move || listener.incoming().for_each(|_| _ = counted.fetch_add(1, Ordering::Relaxed)));
    (port, visits)
}

#[test]
fn an_app_on_a_throw_away_mariadb_reaches_it_and_neither_of_them_reaches_anybody_else() {
    let source = Mariadb::start();
    source.sql("CREATE TABLE orders AS SELECT seq AS id FROM seq_1_to_100");
    let (world, (port, visits)) = (World::new(), visited());
    let count = "[mariadb, --batch, --skip-column-names, '${MYSQL_DATABASE}', -e, select count(*) from orders]";
    let socket = source.socket();
    let astray = format!("[mariadb, --no-defaults, '--socket={}', -e, select 1]", socket.display());
    let server = format!(
        "[mariadb, '${{MYSQL_DATABASE}}', -e, \"INSTALL SONAME 'ha_federatedx'; CREATE TABLE far (id int) ENGINE=FEDERATED CONNECTION='mysql://u@127.0.0.1:{port}/d/t'\"]"
    );
    let checks = format!(
        "[{{name: the orders are there, probe: {{command: {{argv: {count}}}}}, expect: {{stdout: {{matches: '^100'}}}}}}, \
          {{name: the source is out of reach, probe: {{command: {{argv: {astray}}}}}, expect: {{exit: {{not: 0}}, stdout: {{equals: ''}}}}}}, \
          {{name: the server gets nowhere, probe: {{command: {{argv: {server}}}}}, expect: {{exit: {{not: 0}}}}}}]"
    );
    let from = format!("{{mariadb: {{url: '{}'}}}}", source.url());
    let parts = [("source", from.as_str()), ("scratch", "{mariadb: {}}"), ("checks", checks.as_str())];
    world.scenario(&[&parts[..], &[("sandbox", "{}")]].concat());
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    assert!(isolation(&record).contains("it has no network at all"), "{}", isolation(&record));
    assert_eq!(visits.load(Ordering::Relaxed), 0, "the server of the restored data left");
    nothing_left(&world);
    world.scenario(&parts);
    let (_, record) = world.drill();
    assert_eq!(
        check(&record, "the source is out of reach")["outcome"],
        "failed",
        "without a sandbox it can be reached"
    );
    assert!(visits.load(Ordering::Relaxed) > 0, "without a sandbox the server reaches whom it likes");
}

#[test]
fn a_server_of_restored_data_cannot_leave_by_itself_either() {
    let cluster = Cluster::start();
    cluster.sql("CREATE TABLE t(line text)");
    let outside = TcpListener::bind("127.0.0.1:0").expect("listens");
    let port = outside.local_addr().expect("an address").port();
    let production = World::new();
    production.write("input/secret", "of production");
    let reach = format!(
        "COPY t FROM PROGRAM 'bash -c \"(exec 3<>/dev/tcp/127.0.0.1/{port}) && echo reached; cat {}/*; true\" 2>/dev/null'",
        production.path("input").display()
    );
    let checks = format!(
        "[{{name: nothing came of it, probe: {{command: {{argv: [psql, -XAtqc, {reach:?}, -c, 'select * from t']}}}}, expect: {{exit: {{equals: 0}}, stdout: {{equals: ''}}}}}}]"
    );
    for method in ["dump", "physical"] {
        let world = World::new();
        let source = format!("{{postgres: {{url: '{}', method: {method}}}}}", cluster.url());
        let parts = [("source", source.as_str()), ("scratch", "{postgres: {}}"), ("checks", checks.as_str())];
        world.scenario(&[&parts[..], &[("sandbox", "{}")]].concat());
        let (finished, record) = world.drill();
        assert_eq!(finished.code, Some(0), "{method}: {}\n{record:#}", finished.stderr);
        assert!(isolation(&record).contains("it has no network at all"), "{}", isolation(&record));
        nothing_left(&world);
        world.scenario(&parts);
        let (_, record) = world.drill();
        assert_eq!(check(&record, "nothing came of it")["outcome"], "failed", "{method}: without a sandbox it can");
    }
}

#[test]
fn a_sandbox_that_shows_the_source_is_found_out_before_anything_is_restored() {
    let world = World::new();
    let source = fs::canonicalize(world.path("input")).expect("the source");
    world.scenario(&[("sandbox", &format!("{{readable: [{}]}}", source.display()))]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(3), "{}\n{record:#}", finished.stderr);
    let why = record["because"].to_string();
    assert!(why.contains("the sandbox does not hold") && why.contains("can be seen"), "{why}");
    assert!(!world.newest_journal().contains("\"stage_started\",\"stage\":\"restore\""), "{}", world.newest_journal());
    nothing_left(&world);
}

#[test]
fn a_program_outside_of_the_system_runs_where_its_folder_is_named_and_its_absence_is_not_the_backups_fault() {
    let world = World::new();
    let tool = world.script("opt/tool", "#!/bin/sh\ncat data; echo no > \"$0\" || exit 5\n");
    let folder = tool.parent().expect("a folder").display().to_string();
    let checks = format!(
        "[{{name: it runs, probe: {{command: {{argv: [{}]}}}}, expect: {{stdout: {{equals: data}}, exit: {{equals: 5}}}}}}]",
        tool.display()
    );
    world.scenario(&[("sandbox", &format!("{{readable: [{folder}]}}")), ("checks", &checks)]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    world.scenario(&[("sandbox", "{}"), ("checks", &checks)]);
    let (finished, record) = world.drill();
    assert_eq!(finished.code, Some(3), "{}\n{record:#}", finished.stderr);
    assert!(findings(&record).contains("sandbox: {readable: […]}"), "{record:#}");
}

#[test]
fn a_hole_in_the_walls_is_found_out_before_anything_is_restored() {
    // A bubblewrap that shows too much, and one that leaves out the network, in a network that is the test's own.
    for (left_out, shown, said) in [
        ("none", "--bind \"$WORLD\" \"$WORLD\"", ["input can be seen", "runs can be written to"]),
        ("--unshare-net|--unshare-user", "", ["127.0.0.1:", "can be reached; this host saw a connection"]),
    ] {
        let world = World::new();
        let script = format!(
            "#!/bin/sh\nfor word do\n  shift\n  case $word in\n    {left_out}) continue ;;\n    \
             --cap-add) [ -n \"$shown\" ] || set -- \"$@\" {shown}; shown=yes ;;\n  esac\n  \
             set -- \"$@\" \"$word\"\ndone\nexec /usr/bin/bwrap \"$@\"\n"
        );
        let wrapper = world.script("bin/bwrap", &script.replace("$WORLD", &world.path("").display().to_string()));
        let path =
            format!("{}:{}", wrapper.parent().expect("a folder").display(), std::env::var("PATH").expect("a path"));
        world.scenario(&[("sandbox", "{}")]);
        let mut command = Command::new("unshare");
        command.args([
            "--user",
            "--map-root-user",
            "--net",
            "sh",
            "-c",
            "ip link set lo up; exec \"$DRILLCTL\" run scenario.yaml",
        ]);
        command.env("DRILLCTL", env!("CARGO_BIN_EXE_drillctl")).env("PATH", path);
        command.current_dir(world.path("")).env("DRILLCTL_STATE", world.path("state"));
        let finished = world.finish(command);
        assert_eq!(finished.code, Some(3), "{finished:?}");
        let why = world.newest_record()["because"].to_string();
        assert!(why.contains("the sandbox does not hold") && said.iter().all(|said| why.contains(said)), "{why}");
        assert!(
            !world.newest_journal().contains("\"stage_started\",\"stage\":\"restore\""),
            "{}",
            world.newest_journal()
        );
        nothing_left(&world);
    }
}

#[test]
fn a_host_without_bubblewrap_is_told_how_to_get_it() {
    let world = World::new();
    world.scenario(&[("sandbox", "{}")]);
    let mut command = world.command(&["run", "scenario.yaml"]);
    command.env("PATH", world.path("input"));
    let finished = world.finish(command);
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.stderr.contains("apt-get install bubblewrap"), "{}", finished.stderr);
    assert!(world.runs().is_empty(), "nothing was begun");
    let doctor = world.run(&["doctor", "scenario.yaml"]);
    assert!(doctor.stdout.contains("test: sandbox: can be made"), "{doctor:?}");
}

#[test]
fn an_ordinary_account_has_a_sandbox_too() {
    if !rustix::process::geteuid().is_root() {
        // Then every other test was one of an ordinary account.
        return;
    }
    const NOBODY: u32 = 65534;
    let world = World::new();
    world.scenario(&[("sandbox", "{}"), ("app", SERVES)]);
    let program = world.path("drillctl");
    fs::copy(env!("CARGO_BIN_EXE_drillctl"), &program).expect("copied");
    fs::create_dir(world.path("state")).expect("a folder");
    must(Command::new("chown").args(["-R", "65534:65534"]).arg(world.path("")));
    chown(world.path(""), Some(NOBODY), Some(NOBODY)).expect("chown");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args([
        "run",
        "scenario.yaml",
        "--json",
    ]);
    command.current_dir(world.path("")).env("DRILLCTL_STATE", world.path("state"));
    let finished = world.finish(command);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let record: Value = serde_json::from_str(&finished.stdout).expect("a record");
    assert_eq!(check(&record, "app-ready")["outcome"], "passed");
    assert!(isolation(&record).contains("GiB of memory ("), "{}", isolation(&record));
    nothing_left(&world);
}

#[test]
fn a_host_beyond_this_one_is_not_reached_though_this_one_reaches_it() {
    let world = World::new();
    let app = app(
        &world,
        "import socket\ntry: socket.create_connection(('192.0.2.1', 25), 5).send(b'mail'); raise SystemExit('reached')\nexcept OSError: pass",
    );
    world.scenario(&[("sandbox", "{}"), ("app", &app)]);
    // This host is a network namespace with a link to another one, where somebody waits for mail.
    let script = "set -e
        ip link set lo up
        unshare --net sleep 600 & far=$!
        trap 'kill $far $mail 2>/dev/null' EXIT
        until [ \"$(readlink /proc/$far/ns/net)\" != \"$(readlink /proc/self/ns/net)\" ]; do sleep 0.05; done
        ip link add near type veth peer name far netns $far
        ip addr add 192.0.2.2/24 dev near; ip link set near up
        nsenter --target $far --net sh -c 'ip addr add 192.0.2.1/24 dev far; ip link set far up'
        nsenter --target $far --net python3 -c '
import socket
listener = socket.create_server((\"192.0.2.1\", 25))
while True:
    client, _ = listener.accept()
    print(client.recv(9).decode(), flush=True)' > mail & mail=$!
        until python3 -c 'import socket; socket.create_connection((\"192.0.2.1\", 25), 5).send(b\"control\")'; do sleep 0.1; done
        code=0; \"$DRILLCTL\" run scenario.yaml --json || code=$?
        until grep -q control mail; do sleep 0.05; done
        exit $code";
    let mut command = Command::new("unshare");
    let namespaces: &[&str] =
        if rustix::process::geteuid().is_root() { &["--net"] } else { &["--net", "--map-root-user"] };
    command.args(namespaces).args(["sh", "-c", script]).current_dir(world.path(""));
    command.env("DRILLCTL", env!("CARGO_BIN_EXE_drillctl")).env("DRILLCTL_STATE", world.path("state"));
    let finished = world.finish(command);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(fs::read_to_string(world.path("mail")).expect("the mail"), "control\n");
    let record: Value = serde_json::from_str(&finished.stdout).expect("a record");
    assert!(findings(&record).contains("tried to reach 192.0.2.1:25 (smtp), once"), "{}", findings(&record));
    assert!(isolation(&record).contains("192.0.2.2:"), "its own address was tried: {}", isolation(&record));
}
