import CPlatform
import Glibc

/// Names and numbers of socket addresses (getaddrinfo(3), getnameinfo(3)).
enum SocketAddress {
  /// Opens a socket that listens on the first address of `host` that can be had.
  static func listen(
    host: String, port: Int, backlog: Int32
  ) throws(HTTPServerError) -> Socket {
    var hints = unsafe addrinfo()
    unsafe hints.ai_family = AF_UNSPEC
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    unsafe hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
    var list: UnsafeMutablePointer<addrinfo>?
    let status = unsafe getaddrinfo(host, String(port), &hints, &list)
    guard status == 0 else {
      throw .unknownHost(host, reason: unsafe String(cString: gai_strerror(status)))
    }
    defer { unsafe freeaddrinfo(list) }
    var failure = EADDRNOTAVAIL
    var next = unsafe list
    // The list lives until it is freed above.
    while let address = unsafe next {
      let info = unsafe address.pointee
      unsafe next = info.ai_next
      let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
      let descriptor = unsafe socket(info.ai_family, info.ai_socktype | flags, info.ai_protocol)
      guard descriptor >= 0 else {
        failure = errno
        continue
      }
      let socket = Socket(descriptor: descriptor)
      // A restart must not wait for old connections to be forgotten.
      socket.setOption(SOL_SOCKET, SO_REUSEADDR, Int32(1))
      // Accepted sockets inherit it. An answer is written in one call: nothing is to be waited for.
      socket.setOption(Int32(IPPROTO_TCP), TCP_NODELAY, Int32(1))
      // What a client does not take yet stays here, where it is counted, and not in the kernel.
      socket.setOption(Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, ServerLimits.maxUnsentKernelBytes)
      let isBound = unsafe bind(descriptor, info.ai_addr, info.ai_addrlen) == 0
      if isBound, Glibc.listen(descriptor, backlog) == 0 { return socket }
      failure = errno
      socket.close(abruptly: false)
    }
    throw .cannotListen(
      host: host, port: port, errno: failure,
      reason: unsafe strerror(failure).map { unsafe String(cString: $0) } ?? "")
  }

  /// Where a socket is bound.
  static func local(of socket: Socket) -> (host: String, port: Int) {
    var address = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    // A sockaddr_storage holds every kind of sockaddr.
    let status = unsafe withUnsafeMutableBytes(of: &address) { bytes in
      unsafe getsockname(
        socket.descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
    }
    guard status == 0 else { return ("", 0) }
    return numeric(address, length)
  }

  /// `address:port`, an IPv6 address in brackets.
  static func text(_ address: sockaddr_storage, _ length: socklen_t) -> String {
    let (host, port) = numeric(address, length)
    return address.ss_family == AF_INET6 ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  /// Whom an address belongs to, as far as can be told: an IPv4 address, or the 64 bits of an IPv6
  /// address that a network has for itself (RFC 6177).
  static func network(_ address: sockaddr_storage) -> UInt64 {
    // A sockaddr_storage holds every kind of sockaddr, in network byte order.
    let bytes = unsafe withUnsafeBytes(of: address) { unsafe Array($0.prefix(28)) }
    func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
    // Family, port, then the address; an IPv6 address has 4 bytes of flow before it.
    if address.ss_family == AF_INET { return number(4..<8) }
    // ::ffff:a.b.c.d is an IPv4 address (RFC 4291 section 2.5.5.2).
    let isMapped = number(8..<16) == 0 && number(16..<20) == 0xFFFF
    return isMapped ? number(20..<24) : number(8..<16)
  }

  private static func numeric(
    _ address: sockaddr_storage, _ length: socklen_t
  ) -> (host: String, port: Int) {
    var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
    // A sockaddr_storage holds every kind of sockaddr; the pointers are used during the call only.
    let status = unsafe withUnsafeBytes(of: address) { bytes in
      unsafe getnameinfo(
        bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), length, &host,
        socklen_t(host.count), &port, socklen_t(port.count), NI_NUMERICHOST | NI_NUMERICSERV)
    }
    guard status == 0 else { return ("", 0) }
    return (text(host), Int(text(port)) ?? 0)
  }

  private static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
