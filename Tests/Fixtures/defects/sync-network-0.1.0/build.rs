fn main() {
    std::net::TcpStream::connect("192.0.2.1:80").unwrap();
}
