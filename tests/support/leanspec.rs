// One program for each of LeanSpec's three, as far as a release tries them: it says its version and answers.
use std::io::{BufRead, Read, Write};

const NAME: &str = env!("CARGO_BIN_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match NAME {
        "leanspec-mcp" => speak(),
        _ if arguments.iter().any(|each| each == "--version") => println!("{NAME} {VERSION}"),
        "leanspec-http" => serve(&arguments),
        _ => println!("{NAME} {arguments:?}"),
    }
}

fn speak() {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let result = if line.contains("\"initialize\"") {
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
    let port = arguments.windows(2).find(|pair| pair[0] == "-p").map(|pair| pair[1].clone()).unwrap_or_default();
    let listener = std::net::TcpListener::bind(format!("127.0.0.1:{port}")).expect("a free port");
    for mut stream in listener.incoming().map_while(Result::ok) {
        let mut request = [0; 1024];
        let _ = stream.read(&mut request);
        let body = format!(r#"{{"version":"{VERSION}"}}"#);
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    }
}
