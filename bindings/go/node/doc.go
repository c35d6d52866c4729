// Package node runs whole builders in this process: a node is made of a configuration, started, asked to rebuild
// packages, followed, and stopped.
//
//	registry, err := node.NewRegistry()
//	err = registry.AddSandbox("my-sandbox", "1", newMySandbox) // sandbox = "my-sandbox" in the configuration
//	builder, err := node.Load("alder/config.toml", &node.Options{Registry: registry})
//	defer builder.Close()
//	err = builder.Start()
//	job, err := builder.Submit(ctx, &node.SubmitRequest{Package: "pkg:cargo/itoa@1.0.1"})
//	status, err := builder.Wait(ctx, job, node.PhaseCosigned)
//	proof, err := builder.Proof(job)
//
// Every node that is made must be closed. Several may live in one process.
//
// # Plugins
//
// A Sandbox, a Signer, a Source or a Storage is a value of the program's. Each call of a method has a goroutine of its
// own and is answered exactly once, whatever the method does: with what it returns, with its error, or with what it
// panicked with. What it answers is checked like anything that comes from outside. What goes wrong costs the one call.
//
// Registry.Check says, in a test, whether a plugin keeps the promises of its kind.
//
// # Building
//
// The package needs cgo and libsync, which it links dynamically. Unless the library lies where the C compiler and the
// loader look by themselves, say where it is, in absolute paths:
//
//	export CGO_CFLAGS=-I$PREFIX/include CGO_LDFLAGS="-L$PREFIX/lib -Wl,-rpath,$PREFIX/lib"
//
// libsync carries the verifier too. A program that also uses package synchronicity is built with the tag
// syncverify_libsync, so that it has one library and not two; without it the linker refuses.
package node
