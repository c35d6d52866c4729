package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"synchronicity.example/synchronicity/node"
)

// recipes has the farm's own packages, pkg:farm/NAME@VERSION: a POSIX shell script NAME@VERSION.sh in a folder, which
// writes to /output the files that its lines "# artifact: PATH" name. It has no other input than the toolchain.
type recipes struct {
	folder string
}

var packageForm = regexp.MustCompile(`^pkg:farm/([a-z0-9][a-z0-9-]*@[0-9][a-z0-9.]*)$`)

// emptyTree is the digest of a source tree that holds nothing.
var emptyTree = fmt.Sprintf("%x", sha256.Sum256([]byte("synchronicity-tree/v1\n")))

func (r *recipes) Resolve(ctx context.Context, asked *node.ResolveRequest) ([]byte, error) {
	found := packageForm.FindStringSubmatch(asked.Package)
	if found == nil {
		return nil, fmt.Errorf("%s is not of the form pkg:farm/NAME@VERSION: %w", asked.Package, node.PluginInvalid)
	}
	script, err := os.ReadFile(filepath.Join(r.folder, found[1]+".sh"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no %s.sh: %w", r.folder, found[1], node.PluginNotFound)
	}
	if err != nil {
		return nil, err
	}
	var artifacts []string
	lines := bufio.NewScanner(bytes.NewReader(script))
	for lines.Scan() {
		if path := strings.TrimPrefix(lines.Text(), "# artifact: "); path != lines.Text() {
			artifacts = append(artifacts, "artifact "+path)
		}
	}
	if len(artifacts) == 0 {
		return nil, fmt.Errorf("%s.sh has no line \"# artifact: PATH\": %w", found[1], node.PluginInvalid)
	}
	sort.Strings(artifacts)
	// The node refuses what is not in the form of docs/FORMATS.md.
	spec := []string{
		"synchronicity-spec/v1",
		"package " + asked.Package,
		fmt.Sprintf("rebuild %d", asked.Rebuild),
		"toolchain " + asked.Toolchain,
		"target none",
		"profile release",
		"source " + asked.Package + " " + emptyTree + " - " + asked.Package,
		"lock -",
		"environment LC_ALL=C",
		"environment PATH=/usr/bin:/bin",
		"wall-seconds 60",
		"cpu-seconds 60",
		"memory-bytes 268435456",
		"processes 64",
		"disk-bytes 67108864",
		"transcript-bytes 1048576",
		"recipe " + base64.StdEncoding.EncodeToString(script),
	}
	return []byte(strings.Join(append(append(spec, artifacts...), ""), "\n")), nil
}

func (r *recipes) Fetch(ctx context.Context, asked *node.FetchRequest) error {
	if asked.TreeSHA256 != emptyTree {
		return fmt.Errorf("the tree %s, where the farm's packages have none: %w", asked.TreeSHA256, node.PluginInvalid)
	}
	return os.Mkdir(asked.Directory, 0o755)
}
