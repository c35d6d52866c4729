package synchronicity

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// vectors is SYNC_VECTORS, or where they lie in the project.
func vectors() string {
	if folder := os.Getenv("SYNC_VECTORS"); folder != "" {
		return folder
	}
	return filepath.Join("..", "..", "Tests", "Vectors")
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	bytes, err := os.ReadFile(filepath.Join(vectors(), name))
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// rows returns a table's rows, without the line that names the columns.
func rows(t testing.TB, name string) [][]string {
	t.Helper()
	var all [][]string
	for _, line := range strings.Split(string(read(t, name)), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, strings.Split(line, "\t"))
		}
	}
	return all
}

func number(t testing.TB, text string) int64 {
	t.Helper()
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

type testCase struct {
	name, policy, proof string
	artifact            Digest
	status              Code
}

func cases(t testing.TB) []testCase {
	t.Helper()
	var all []testCase
	for _, row := range rows(t, "cases.tsv") {
		artifact, err := ParseDigest(row[3])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, testCase{row[0], row[1], row[2], artifact, Code(number(t, row[4]))})
	}
	return all
}

func caseNamed(t testing.TB, name string) testCase {
	t.Helper()
	for _, each := range cases(t) {
		if each.name == name {
			return each
		}
	}
	t.Fatalf("no case %s", name)
	return testCase{}
}

type handoverRow struct {
	name, policy string
	epoch        uint64 // the policy's; 0 where nothing is followed
	handovers    []string
	proof        string // "" where nothing is verified
	artifact     Digest
	status       Code
}

func handoverRows(t testing.TB) []handoverRow {
	t.Helper()
	var all []handoverRow
	for _, row := range rows(t, "handovers.tsv") {
		each := handoverRow{name: row[0], policy: row[1], status: Code(number(t, row[6]))}
		var err error
		if row[3] != "-" {
			each.handovers = strings.Split(row[3], " ")
			if each.epoch, err = strconv.ParseUint(row[2], 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		if row[4] != "-" {
			each.proof = row[4]
			if each.artifact, err = ParseDigest(row[5]); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, each)
	}
	return all
}

type embeddedCase struct {
	name, file string
	want       Embedded
	status     Code
}

func embeddedCases(t testing.TB) []embeddedCase {
	t.Helper()
	var all []embeddedCase
	for _, row := range rows(t, "embedded.tsv") {
		all = append(all, embeddedCase{
			name: row[0],
			file: row[1],
			want: Embedded{
				Form:        EmbeddedForm(number(t, row[2])),
				ContentSize: number(t, row[3]),
				ProofOffset: number(t, row[4]),
				ProofSize:   number(t, row[5]),
			},
			status: Code(number(t, row[6])),
		})
	}
	return all
}

func fourPolicy(t testing.TB) *Policy {
	t.Helper()
	policy, err := ParsePolicy(read(t, "policies/four.policy"))
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// codeOf returns 0 for nil, a refusal's code, and -1 for any other error.
func codeOf(err error) Code {
	if err == nil {
		return 0
	}
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return -1
}

// describe lists what the proof says, as in described/.
func describe(p *Proof) string {
	var list strings.Builder
	line := func(key string, value any) { fmt.Fprintf(&list, "%s\t%v\n", key, value) }
	bit := map[bool]int{true: 1}
	line("log_origin", p.LogOrigin)
	line("package", p.Package)
	line("package_name", p.PackageName)
	line("package_version", p.PackageVersion)
	line("submitter", p.Submitter)
	line("job_id", p.JobID)
	line("source_sha256", p.SourceSHA256)
	line("toolchain_sha256", p.ToolchainSHA256)
	line("leaf_index", p.LeafIndex)
	line("tree_size", p.TreeSize)
	line("epoch", p.Epoch)
	line("height", p.Height)
	line("time_milliseconds", p.TimeMilliseconds)
	line("verdict", int(p.Verdict))
	line("agreeing", p.Agreeing)
	line("reproducers", p.Reproducers)
	line("builder_count", len(p.Builders))
	line("artifact_count", len(p.Artifacts))
	line("source_count", len(p.Sources))
	line("signature_count", len(p.Signatures))
	line("outcome_count", p.OutcomeCount)
	for i, builder := range p.Builders {
		key := fmt.Sprintf("builder.%d.", i)
		line(key+"state", int(builder.State))
		line(key+"outcome", builder.Outcome)
		line(key+"name", builder.Name)
		line(key+"sandbox", builder.Sandbox)
		line(key+"processor", builder.Processor)
		line(key+"kernel", builder.Kernel)
		line(key+"outcome_sha256", builder.OutcomeSHA256)
	}
	for i, artifact := range p.Artifacts {
		key := fmt.Sprintf("artifact.%d.", i)
		line(key+"path", artifact.Path)
		line(key+"size", artifact.Size)
		line(key+"mode", artifact.Mode)
		line(key+"sha256", artifact.SHA256)
	}
	for i, source := range p.Sources {
		key := fmt.Sprintf("source.%d.", i)
		line(key+"package", source.Package)
		line(key+"origin", source.Origin)
		line(key+"tree_sha256", source.TreeSHA256)
		line(key+"claimed_sha256", source.ClaimedSHA256)
		line(key+"has_claim", bit[source.HasClaim])
	}
	for i, signature := range p.Signatures {
		key := fmt.Sprintf("signature.%d.", i)
		line(key+"name", signature.Name)
		line(key+"key_id", fmt.Sprintf("%08x", signature.KeyID))
		line(key+"is_timed", bit[signature.IsTimed])
		line(key+"time_seconds", signature.TimeSeconds)
	}
	return list.String()
}
