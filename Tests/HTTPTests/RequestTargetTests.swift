import HTTPTypes
import Testing

@testable import HTTP

@Suite struct RequestTargetTests {
  private typealias Item = RequestTarget.QueryItem

  @Test(arguments: [
    ("/", "/"), ("/a/b", "/a/b"), ("/a//b/", "/a/b"), ("/./a/.", "/a"), ("/a/../b", "/b"),
    ("/a/%2e%2E/b", "/b"), ("/%68i", "/hi"), ("/a%2Fb", "/a/b"), ("/a+b", "/a+b"),
    ("/%C3%A9", "/é"), ("/a?b/../c", "/a"), ("*", "*"), ("/*", "/*"),
  ])
  func pathsAreNormalised(_ target: String, _ path: String) throws {
    #expect(try RequestTarget(target).path == path)
  }

  @Test func anEncodedSlashStaysInItsPart() throws {
    #expect(try RequestTarget("/a%2Fb/c").components == ["a/b", "c"])
    #expect(try RequestTarget("*").isAsterisk)
    #expect(try !RequestTarget("/*").isAsterisk)
  }

  @Test func queriesAreDecodedInOrder() throws {
    #expect(
      try RequestTarget("/?a=1&b=x+y%2B&a=2&&c&d=e=f&=g&%26=%3D").query == [
        Item(name: "a", value: "1"), Item(name: "b", value: "x y+"), Item(name: "a", value: "2"),
        Item(name: "c", value: ""), Item(name: "d", value: "e=f"), Item(name: "", value: "g"),
        Item(name: "&", value: "="),
      ])
    #expect(try RequestTarget("/a?").query == [])
    #expect(try RequestTarget("/a?b?c=d").query == [Item(name: "b?c", value: "d")])
  }

  @Test(arguments: [
    "/%", "/%4", "/%zz", "/%+1", "/a%00", "/%ff", "/%C3", "/%ED%A0%80", "/%C0%AF", "/..",
    "/a/../..",
    "/?a=%", "/?%zz=1", "/?a=%00", "/?a=%ff",
  ])
  func whatCannotBeReadIsRefused(_ target: String) {
    do {
      _ = try RequestTarget(target)
      Issue.record("\(target) was accepted")
    } catch {
      #expect(error.status == .badRequest)
    }
  }
}
