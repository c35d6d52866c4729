// Package synchronicity checks, offline, that independent builders rebuilt an artifact: from a proof file
// (.tlog-proof), a trust policy and the artifact's digest, and from nothing else.
//
//	policy, err := synchronicity.ReadPolicy("policy")
//	…
//	shown, err := policy.VerifyFile("libitoa.rlib") // its proof is inside it, or in libitoa.rlib.tlog-proof
//	…
//	fmt.Printf("%d of %d builders rebuilt %s\n", shown.Reproducers, shown.Builders, shown.Proof.Package)
//
// A nil error means that both of the policy's thresholds hold for these very bytes: enough cosigners saw the log,
// enough builders signed for the artifact. They are the artifact of the package that the proof names, whatever the file
// is called: compare Proof.Package with the package that you want. Everything else is an error, an *Error where a proof
// or a policy was refused; errors.Is tells the kinds apart:
//
//	errors.Is(err, synchronicity.ErrNotVerified)   // well-formed input that does not prove it
//	errors.Is(err, synchronicity.ErrMalformed)     // input that is not in its format
//	errors.Is(err, synchronicity.CodeQuorumMissed) // one reason among them
//	errors.Is(err, fs.ErrNotExist)                 // a file that cannot be read
//
// Nothing here opens a socket, reads a clock or keeps anything between calls; only functions that take a path or a
// reader touch files. A Policy and a Proof may be used by many goroutines at once; a Hasher by one at a time.
//
// # Building
//
// The package needs cgo and puts libsyncverify.a, which needs libc alone, into the program. Unless the library lies
// where the C compiler looks by itself, say where it is:
//
//	export CGO_CFLAGS=$(pkg-config --cflags libsyncverify)
//	export CGO_LDFLAGS=$(pkg-config --libs-only-L libsyncverify)
//
// Go's cache does not look at what lies there: after exchanging the library in its place, build with -a.
//
// The build tag syncverify_shared links libsyncverify.so.1 instead.
//
// # Memory
//
// The garbage collector frees what the library allocated, but does not see how much that is. Who parses thousands of
// policies or proofs closes them.
package synchronicity
