package node

// #include "bridge.h"
import "C"

import (
	"sort"
	"unsafe"
)

// CheckOptions is what the checks of a plugin want to be told. Nil is the same as its zero value.
type CheckOptions struct {
	Settings  map[string]string // [settings.NAME] of a configuration
	Toolchain string            // for a sandbox: absolute path of a tar with /bin/sh, bash, coreutils and busybox
	Package   string            // for a source: one that it has, such as "pkg:cargo/itoa@1.0.1"
	// WithEscapes, for a sandbox: also every attempt to leave it. They are compiled here, by cc, and some are made as
	// whom this process runs as; root sees the most.
	WithEscapes bool
	// Allowed are attempts that may succeed, by the word with which a report's WHAT WAS SEEN begins, and why that does
	// no harm.
	Allowed map[string]string
}

// CheckReport is what the checks of a plugin found.
type CheckReport struct {
	HasPassed bool // each check was passed
	// Text has a line for each check, "pass: NAME" or "FAIL: NAME: WHAT WAS SEEN", and a last one with their number.
	Text string
}

// Check runs the conformance suite of a plugin that was added, by calling it as a node does: for its author, from a
// test. It takes seconds, for a sandbox minutes, and works in a folder of its own below TMPDIR, which is gone behind
// it. Meanwhile the registry may be used, and closed too.
//
// An error says why there were no checks: CodeNotFound when no plugin of that name was added, CodeInvalid when plugins
// of two kinds were, or an option is missing that the kind wants. What the plugin does wrong is in the report.
func (r *Registry) Check(name string, options *CheckOptions) (*CheckReport, error) {
	registry, err := r.use()
	if err != nil {
		return nil, err
	}
	defer r.release(registry)
	var strings texts
	defer strings.free()
	rawName, err := strings.add("the plugin's name", name)
	if err != nil {
		return nil, err
	}
	if options == nil {
		options = &CheckOptions{}
	}
	raw, err := strings.checkOptions(options)
	if err != nil {
		return nil, err
	}
	var hasPassed C.int32_t
	var report *C.sync_bytes
	var failure *C.sync_error
	status := C.sync_registry_check(registry, rawName, raw, &hasPassed, &report, &failure)
	if err := takeError(status, failure); err != nil {
		return nil, err
	}
	return &CheckReport{HasPassed: hasPassed != 0, Text: string(takeBytes(report))}, nil
}

// checkOptions makes them in C's memory, where they may point to more of that.
func (t *texts) checkOptions(options *CheckOptions) (*C.sync_check_options, error) {
	raw := (*C.sync_check_options)(t.allocate(C.sizeof_sync_check_options))
	raw.struct_size, raw.abi_version = C.sizeof_sync_check_options, C.SYNC_ABI_VERSION
	var err error
	if raw.settings, err = t.settings("a setting", options.Settings); err != nil {
		return nil, err
	}
	if raw.toolchain, err = t.optional("the toolchain's path", options.Toolchain); err != nil {
		return nil, err
	}
	if raw._package, err = t.optional("the package", options.Package); err != nil {
		return nil, err
	}
	if raw.allowed, err = t.settings("what is allowed", options.Allowed); err != nil {
		return nil, err
	}
	raw.settings_count, raw.allowed_count = C.size_t(len(options.Settings)), C.size_t(len(options.Allowed))
	raw.with_escapes = flag(options.WithEscapes)
	return raw, nil
}

// settings makes an array of them, in the order of their names; NULL of none.
func (t *texts) settings(what string, pairs map[string]string) (*C.sync_setting, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	names := make([]string, 0, len(pairs))
	for name := range pairs {
		names = append(names, name)
	}
	sort.Strings(names)
	raw := (*C.sync_setting)(t.allocate(C.size_t(len(names)) * C.sizeof_sync_setting))
	places := unsafe.Slice(raw, len(names))
	for i, name := range names {
		var err error
		if places[i].name, err = t.add(what, name); err != nil {
			return nil, err
		}
		if places[i].value, err = t.add(what, pairs[name]); err != nil {
			return nil, err
		}
	}
	return raw, nil
}
