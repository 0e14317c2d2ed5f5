#if arch(x86_64) && os(Linux)
  import CKernels
  import Foundation
  import Testing

  /// What is chosen on CPUs and operating systems other than this machine's.
  struct X86FeaturesTests {
    /// A Sapphire Rapids under Linux: everything there, and saved.
    static let all = X86Words(
      leaf1ECX: 0xfffa_3203, leaf7EBX: 0xf1bf_07ab, leaf7ECX: 0x0040_5fc6, leaf7EDX: 0xffc1_4412,
      leaf7Subleaf1EAX: 0x30, xcr0: 0x6_02e7)

    /// What the kernel sets of int8, of which each group has one, ask for.
    private static let groups = [
      "amx": X86AMX, "avx512bf16": X86AVX512BF16, "avx512vnni": X86AVX512VNNI,
      "avx512": X86AVX512, "avxvnni": X86AVXVNNI, "avx2": X86AVX2,
    ]

    /// The names of those sets in order of preference.
    private static let names: [String] = {
      var names: [String] = []
      var index = 0
      while let set = unsafe kernelSet(index) {
        if unsafe set.pointee.precision == PrecisionInt8 {
          unsafe names.append(String(cString: set.pointee.name))
        }
        index += 1
      }
      return names
    }()

    @Test func everySetHasItsGroup() {
      #expect(Set(Self.names) == Set(Self.groups.keys).union(["scalar"]))
      #expect(Self.names.last == "scalar")
    }

    /// The set that is chosen for int8.
    static func chosen(_ words: X86Words) -> String {
      names.first { groups[$0].map { x86Supports(words, $0) } ?? true } ?? "none"
    }

    @Test func everything() { #expect(Self.chosen(Self.all) == "amx") }

    @Test func nothing() { #expect(Self.chosen(X86Words()) == "scalar") }

    /// One bit less than everything.
    @Test func withoutOne() {
      let cases: [(word: WritableKeyPath<X86Words, UInt32>, bit: Int, left: String)] = [
        (\.leaf7EDX, 22, "avx512bf16"), (\.leaf7EDX, 24, "avx512bf16"),
        (\.leaf7EDX, 25, "avx512bf16"), (\.xcr0, 17, "avx512bf16"), (\.xcr0, 18, "avx512bf16"),
        (\.leaf7EBX, 16, "avxvnni"), (\.leaf7EBX, 17, "avxvnni"), (\.leaf7EBX, 30, "avxvnni"),
        (\.leaf7EBX, 31, "avxvnni"), (\.leaf7ECX, 11, "avxvnni"),
        (\.leaf7Subleaf1EAX, 5, "avx512vnni"),
        // The operating system loses masks, or upper halves, or registers above 15.
        (\.xcr0, 5, "avxvnni"), (\.xcr0, 6, "avxvnni"), (\.xcr0, 7, "avxvnni"),
        // No FMA; no OSXSAVE; no AVX; no F16C; no AVX2; 128- or 256-bit registers not saved.
        (\.leaf1ECX, 12, "scalar"), (\.leaf1ECX, 27, "scalar"), (\.leaf1ECX, 28, "scalar"),
        (\.leaf1ECX, 29, "scalar"), (\.leaf7EBX, 5, "scalar"), (\.xcr0, 1, "scalar"),
        (\.xcr0, 2, "scalar"),
      ]
      for (word, bit, left) in cases {
        var words = Self.all
        words[keyPath: word] &= ~(1 << bit)
        #expect(Self.chosen(words) == left, "without bit \(bit) of \(word)")
      }
      var words = Self.all
      (words.leaf7EBX, words.leaf7Subleaf1EAX) = (words.leaf7EBX & ~(1 << 16), 0)
      #expect(Self.chosen(words) == "avx2")
      words = Self.all
      (words.leaf7ECX, words.leaf7Subleaf1EAX) = (words.leaf7ECX & ~(1 << 11), 0)
      #expect(Self.chosen(words) == "avx512")
    }

    /// Bits that no set asks for change nothing.
    @Test func otherBits() {
      let needed = X86Words(
        leaf1ECX: 0x3800_1000, leaf7EBX: 0xc003_0020, leaf7ECX: 0x800, leaf7EDX: 0x340_0000,
        leaf7Subleaf1EAX: 0x20, xcr0: 0x6_00e6)
      #expect(Self.chosen(needed) == "amx")
    }

    /// This machine's words against what its kernel says.
    @Test func thisMachine() throws {
      let information = try String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
      let line = try #require(information.split(separator: "\n").first { $0.hasPrefix("flags") })
      let flags = Set(line.split(separator: " "))
      let groups: [(name: String, flags: Set<Substring>)] = [
        ("avx2", ["fma", "avx", "f16c", "avx2"]),
        ("avx512", ["avx512f", "avx512bw", "avx512vl", "avx512dq"]),
        ("avx512vnni", ["avx512_vnni"]), ("avx512bf16", ["avx512_bf16"]),
        ("amx", ["amx_tile", "amx_bf16", "amx_int8"]),
      ]
      let present = groups.prefix { flags.isSuperset(of: $0.flags) }
      var expected = present.last?.name ?? "scalar"
      if ["avx2", "avx512"].contains(expected), flags.contains("avx_vnni") { expected = "avxvnni" }
      #expect(Self.chosen(x86Words()) == expected)
    }
  }
#endif
