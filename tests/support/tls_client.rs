// One request over TLS, as native-tls makes it on Linux: openssl-probe says where the system's authorities are.
use std::io::{Read, Write};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|each| each == "get") {
        match get(&arguments[1], &arguments[2]) {
            Ok(answer) => print!("{answer}"),
            Err(error) => {
                eprintln!("{error}");
                std::process::exit(1);
            }
        }
        return;
    }
    println!("{} {} {arguments:?}", env!("CARGO_BIN_NAME"), env!("CARGO_PKG_VERSION"));
}

fn get(address: &str, path: &str) -> Result<String, Box<dyn std::error::Error>> {
    let (host, _) = address.split_once(':').ok_or("no port")?;
    openssl_probe::init_ssl_cert_env_vars();
    let connector = openssl::ssl::SslConnector::builder(openssl::ssl::SslMethod::tls())?.build();
    let mut stream = connector.connect(host, std::net::TcpStream::connect(address)?)?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
