package synchronicity_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"synchronicity.example/synchronicity"
)

// vectors holds the project's own proofs.
func vectors() string {
	if folder := os.Getenv("SYNC_VECTORS"); folder != "" {
		return folder
	}
	return "../../Tests/Vectors"
}

func policy() *synchronicity.Policy {
	policy, err := synchronicity.ReadPolicy(filepath.Join(vectors(), "policies/four.policy"))
	if err != nil {
		panic(err)
	}
	return policy
}

func ExamplePolicy_VerifyFile() {
	shown, err := policy().VerifyFile(filepath.Join(vectors(), "embedded/archive-odd.rlib"))
	if err != nil {
		fmt.Println("not verified:", err)
		return
	}
	fmt.Printf("%d of %d builders rebuilt %s\n", shown.Reproducers, shown.Builders, shown.Proof.Package)
	fmt.Println("by the proof that is", shown.ProofOrigin)
	// Output:
	// 3 of 4 builders rebuilt pkg:cargo/itoa@1.0.1
	// by the proof that is embedded
}

func ExamplePolicy_Verify() {
	proof, err := os.ReadFile(filepath.Join(vectors(), "proofs/all-four.tlog-proof"))
	if err != nil {
		panic(err)
	}
	artifact, err := synchronicity.ParseDigest(strings.Repeat("00", synchronicity.DigestSize))
	if err != nil {
		panic(err)
	}
	_, err = policy().Verify(proof, artifact)
	fmt.Println(errors.Is(err, synchronicity.ErrNotVerified), errors.Is(err, synchronicity.CodeArtifactMismatch))
	// Output: true true
}

func ExampleParseProof() {
	bytes, err := os.ReadFile(filepath.Join(vectors(), "proofs/absent-no-reveal.tlog-proof"))
	if err != nil {
		panic(err)
	}
	proof, err := synchronicity.ParseProof(bytes)
	if err != nil {
		panic(err)
	}
	fmt.Println(proof.Package)
	for _, builder := range proof.Builders {
		fmt.Println(builder.Name, builder.State)
	}
	// Output:
	// pkg:cargo/itoa@1.0.1
	// ada revealed
	// bob revealed
	// cyd no reveal
	// dee revealed
}

func ExampleFindEmbedded() {
	file := strings.NewReader("an artifact without a proof")
	found, err := synchronicity.FindEmbedded(file, file.Size())
	fmt.Println(found.Form, found.ContentSize, err)
	// Output: none 27 <nil>
}

func ExampleHasher() {
	hasher := synchronicity.NewHasher()
	fmt.Fprint(hasher, "abc")
	fmt.Println(hasher.Digest())
	// Output: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
}
