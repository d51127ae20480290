// One program for each of LeanSpec's three, as far as a release tries them: it says its version and answers.
use std::io::{BufRead, Read, Write};

const NAME: &str = env!("CARGO_BIN_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match NAME {
        "leanspec" if arguments == ["--version"] => println!("lean-spec {VERSION}"),
        "leanspec" if arguments.iter().any(|each| each == "validate") => {
            eprintln!("validate is not migrated yet");
            std::process::exit(1);
        }
        _ if arguments.iter().any(|each| each == "--version") => println!("{NAME} {VERSION}"),
        "leanspec-mcp" => speak(),
        "leanspec-http" => serve(&arguments),
        _ => println!("{NAME} {arguments:?}"),
    }
}

fn speak() {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let result = if line.contains("server/discover") {
            r#""id":1,"error":{"code":-32601,"message":"method not found"}"#.to_string()
        } else if line.contains("\"initialize\"") {
            format!(r#""id":1,"result":{{"protocolVersion":"2024-11-05","capabilities":{{}},"serverInfo":{{"name":"{NAME}","version":"{VERSION}"}}}}"#)
        } else if line.contains("tools/list") {
            r#""id":2,"result":{"tools":[{"name":"list","inputSchema":{"type":"object"}}]}"#.to_string()
        } else {
            continue;
        };
        println!(r#"{{"jsonrpc":"2.0",{result}}}"#);
    }
}

fn serve(arguments: &[String]) {
    let value = |names: [&str; 2]| arguments.windows(2).find(|pair| names.contains(&pair[0].as_str())).map(|pair| pair[1].clone()).unwrap_or_default();
    let (port, project) = (value(["-p", "--port"]), value(["-P", "--project"]));
    let listener = std::net::TcpListener::bind(format!("127.0.0.1:{port}")).expect("a free port");
    for mut stream in listener.incoming().map_while(Result::ok) {
        let mut request = [0; 1024];
        let _ = stream.read(&mut request);
        let request = String::from_utf8_lossy(&request).to_string();
        let (status, kind, body) = match request.split(' ').nth(1).unwrap_or_default() {
            "/health" => ("200 OK", "application/json", format!(r#"{{"version":"{VERSION}"}}"#)),
            "/api/projects" => ("200 OK", "application/json", format!(r#"{{"projects":[{{"path":"{project}"}}]}}"#)),
            // What the real server has in addition, and the real pages ask for.
            path if ["/api/projects/", "/api/events/", "/api/local-projects/"].iter().any(|each| path.starts_with(each)) => {
                ("200 OK", "application/json", "{}".to_string())
            }
            path if path.starts_with("/api/") => ("404 Not Found", "text/html", "<!doctype html>".to_string()),
            _ => ("200 OK", "text/html", "<!doctype html>".to_string()),
        };
        let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    }
}
