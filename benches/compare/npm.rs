//! Programs that `npm` installs, each into a folder of its own under `target/compare`, and runs of them.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a program may take until it listens: Prism reads its document for a minute.
const PATIENCE: Duration = Duration::from_secs(300);

/// The runtime of those that need a newer one than a machine may have.
const NODE: &str = "24.20.0";

/// An installed package.
pub struct Package {
    folder: PathBuf,
    name: &'static str,
    pub version: &'static str,
}

/// Installs a package, unless that version is there.
pub fn install(name: &'static str, version: &'static str) -> Result<Package, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/compare");
    let folder = root.join(name.replace(['@', '/'], ""));
    let package = Package {
        folder,
        name,
        version,
    };
    if package.is_there() {
        return Ok(package);
    }
    fs::create_dir_all(&package.folder).unwrap();
    fs::write(package.folder.join("package.json"), r#"{"private":true}"#).unwrap();
    let log = package.folder.join("install.log");
    let status = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--save-exact"])
        .arg(format!("{name}@{version}"))
        .current_dir(&package.folder)
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .status()
        .map_err(|error| format!("npm: {error}"))?;
    if status.success() && package.is_there() {
        return Ok(package);
    }
    Err(format!(
        "npm did not install {version}, see {}",
        log.display()
    ))
}

/// A newer runtime than the machine's.
pub fn node() -> Result<PathBuf, String> {
    Ok(install("node", NODE)?.folder.join("node_modules/.bin/node"))
}

/// What a runtime says of itself.
pub fn version_of(node: &Path) -> String {
    let output = Command::new(node)
        .arg("-v")
        .output()
        .expect("Node.js is there");
    format!("Node.js {}", String::from_utf8_lossy(&output.stdout).trim())
}

impl Package {
    fn is_there(&self) -> bool {
        let manifest = self
            .folder
            .join("node_modules")
            .join(self.name)
            .join("package.json");
        let text = fs::read_to_string(manifest).unwrap_or_default();
        text.contains(&format!("\"version\": \"{}\"", self.version))
    }

    /// A run of one of the package's files.
    pub fn command(&self, node: &Path, file: &str) -> Command {
        let mut command = Command::new(node);
        command
            .arg(self.folder.join("node_modules").join(self.name).join(file))
            .env("NODE_ENV", "production")
            .current_dir(&self.folder);
        command
    }

    /// Starts a program and waits until it listens on the address.
    pub fn start(&self, mut command: Command, address: SocketAddr) -> Result<Running, String> {
        let path = self.folder.join("run.log");
        let log = fs::File::create(&path).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let mut running = Running(command.spawn().unwrap());
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            sleep(Duration::from_millis(200));
            let ended = running.0.try_wait().unwrap().is_some();
            if ended || begin.elapsed() > PATIENCE {
                return Err(format!(
                    "{} does not listen, see {}",
                    self.version,
                    path.display()
                ));
            }
        }
        Ok(running)
    }
}

/// A process that ends with this one.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address that nobody listens on.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
