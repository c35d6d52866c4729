package node

// #include "bridge.h"
import "C"

import (
	"errors"
	"io"
	"log"
	"runtime/cgo"
	"sync/atomic"
	"unsafe"
)

// held counts what C has not let go of: plugins, instances of them, and functions for logs.
var held struct {
	plugins, instances, logs atomic.Int64
}

// registration is what a plugin's user data stands for.
type registration struct {
	name   string
	create func(ctx *callContext, request *CreateRequest) (instance, error)
}

// instance is what a method's self stands for; one of its interfaces is not nil.
type instance struct {
	name    string
	sandbox Sandbox
	signer  Signer
	source  Source
	storage Storage
}

// any returns the user's value.
func (i *instance) any() any {
	switch {
	case i.sandbox != nil:
		return i.sandbox
	case i.signer != nil:
		return i.signer
	case i.source != nil:
		return i.source
	case i.storage != nil:
		return i.storage
	}
	return nil
}

// close ends the user's value; what it panics with is logged, since nobody gets it as an error.
func (i *instance) close() {
	closer, ok := i.any().(io.Closer)
	if !ok {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if reason := recover(); reason != nil {
				log.Printf("synchronicity: closing the plugin %s panicked: %v", i.name, reason)
			}
		}()
		if err := closer.Close(); err != nil {
			log.Printf("synchronicity: closing the plugin %s: %v", i.name, said(err))
		}
	}()
	<-done
}

//export syncGoForget
func syncGoForget(userData C.uintptr_t) {
	cgo.Handle(userData).Delete()
	held.plugins.Add(-1)
}

//export syncGoDestroy
func syncGoDestroy(self C.uintptr_t) {
	handle := cgo.Handle(self)
	handle.Value().(*instance).close()
	handle.Delete()
	held.instances.Add(-1)
}

//export syncGoLog
func syncGoLog(userData C.uintptr_t, level C.int32_t, line *C.char) {
	cgo.Handle(userData).Value().(func(LogLevel, string))(LogLevel(level), C.GoString(line))
}

//export syncGoMethod
func syncGoMethod(number C.int, self C.uintptr_t, request unsafe.Pointer, call C.uintptr_t) {
	if number == C.BRIDGE_CREATE {
		owner := cgo.Handle(self).Value().(*registration)
		asked := createRequest((*C.sync_create_request)(request))
		serve(call, func(ctx *callContext) answer { return created(owner, ctx, asked) })
		return
	}
	owner := cgo.Handle(self).Value().(*instance)
	serve(call, func(ctx *callContext) answer { return ask(number, owner, request, ctx) })
}

// created answers with a new instance.
func created(owner *registration, ctx *callContext, request *CreateRequest) answer {
	made, err := owner.create(ctx, request)
	if err == nil && made.any() == nil {
		err = errors.New("the plugin's function gave no instance, and no error either")
	}
	if err != nil {
		return failed(err)
	}
	made.name = owner.name
	return func(call C.uintptr_t) C.sync_status {
		handle := cgo.NewHandle(&made)
		held.instances.Add(1)
		status := C.bridge_finish_instance(call, C.uintptr_t(handle))
		if status != C.SYNC_OK {
			// Nobody waits for it any more, and nobody else ends it.
			syncGoDestroy(C.uintptr_t(handle))
		}
		return status
	}
}

// ask asks the instance. The request is there until serve returns.
func ask(number C.int, owner *instance, request unsafe.Pointer, ctx *callContext) answer {
	switch number {
	case C.BRIDGE_PROBE:
		return findingsOr(owner.sandbox.Probe(ctx))
	case C.BRIDGE_PREPARE:
		raw := (*C.sync_toolchain_request)(request)
		return doneOr(owner.sandbox.Prepare(ctx, C.GoString(raw.toolchain), C.GoString(raw.archive)))
	case C.BRIDGE_HAS_TOOLCHAIN:
		raw := (*C.sync_toolchain_request)(request)
		return foundOr(owner.sandbox.HasToolchain(ctx, C.GoString(raw.toolchain)))
	case C.BRIDGE_RUN:
		asked := runRequest((*C.sync_run_request)(request))
		return runOr(owner.sandbox.Run(ctx, asked, &transcript{call: ctx.call}))
	case C.BRIDGE_REMOVE_LEFTOVERS:
		if remover, ok := owner.sandbox.(LeftoverRemover); ok {
			return linesOr(remover.RemoveLeftovers(ctx))
		}
		return finished
	case C.BRIDGE_PUBLIC_KEY:
		key, err := owner.signer.PublicKey(ctx, KeyRole((*C.sync_sign_request)(request).role))
		return bytesOr(key, err)
	case C.BRIDGE_SIGN:
		raw := (*C.sync_sign_request)(request)
		message := copyBytes(unsafe.Pointer(raw.message), raw.message_size)
		return bytesOr(owner.signer.Sign(ctx, KeyRole(raw.role), message))
	case C.BRIDGE_RESOLVE:
		return bytesOr(owner.source.Resolve(ctx, resolveRequest((*C.sync_resolve_request)(request))))
	case C.BRIDGE_FETCH:
		raw := (*C.sync_fetch_request)(request)
		return doneOr(owner.source.Fetch(ctx, &FetchRequest{
			PURL:       C.GoString(raw.purl),
			Origin:     C.GoString(raw.origin),
			TreeSHA256: C.GoString(raw.tree_sha256),
			Directory:  C.GoString(raw.directory),
		}))
	}
	return askStorage(number, owner.storage, request, ctx)
}

func askStorage(number C.int, storage Storage, request unsafe.Pointer, ctx *callContext) answer {
	switch number {
	case C.BRIDGE_GET:
		raw := (*C.sync_storage_request)(request)
		value, err := storage.Get(ctx, copyBytes(unsafe.Pointer(raw.key), raw.key_size))
		if err == nil && value == nil {
			err = PluginNotFound
		}
		return bytesOr(value, err)
	case C.BRIDGE_SCAN:
		raw := (*C.sync_storage_request)(request)
		prefix := copyBytes(unsafe.Pointer(raw.key), raw.key_size)
		first := copyBytes(unsafe.Pointer(raw.start), raw.start_size)
		return recordsOr(storage.Scan(ctx, prefix, first, uint64(raw.limit)))
	case C.BRIDGE_APPLY:
		raw := (*C.sync_apply_request)(request)
		changes := make([]Change, 0, int(raw.changes_count))
		for _, change := range unsafe.Slice(raw.changes, int(raw.changes_count)) {
			changed := Change{Key: copyBytes(unsafe.Pointer(change.key), change.key_size)}
			if change.value != nil {
				changed.Value = copyBytes(unsafe.Pointer(change.value), change.value_size)
			}
			changes = append(changes, changed)
		}
		return doneOr(storage.Apply(ctx, changes, raw.durable != 0))
	}
	return failed(PluginInvalid)
}

func createRequest(raw *C.sync_create_request) *CreateRequest {
	settings := make(map[string]string, int(raw.settings_count))
	for _, setting := range unsafe.Slice(raw.settings, int(raw.settings_count)) {
		settings[C.GoString(setting.name)] = C.GoString(setting.value)
	}
	return &CreateRequest{
		Node:           C.GoString(raw.node),
		StateDirectory: C.GoString(raw.state_directory),
		Settings:       settings,
	}
}

func runRequest(raw *C.sync_run_request) *RunRequest {
	mounts := make([]Mount, 0, int(raw.mounts_count))
	for _, mount := range unsafe.Slice(raw.mounts, int(raw.mounts_count)) {
		mounts = append(mounts, Mount{
			HostPath:   C.GoString(mount.host_path),
			InsidePath: C.GoString(mount.inside_path),
			Writable:   mount.is_writable != 0,
		})
	}
	return &RunRequest{
		RunID:            C.GoString(raw.run_id),
		Toolchain:        C.GoString(raw.toolchain),
		Command:          goStrings(raw.command, raw.command_count),
		Environment:      goStrings(raw.environment, raw.environment_count),
		WorkingDirectory: C.GoString(raw.working_directory),
		Mounts:           mounts,
		HostName:         C.GoString(raw.host_name),
		ScratchDirectory: C.GoString(raw.scratch_directory),
		WallSeconds:      uint64(raw.wall_seconds),
		CPUSeconds:       uint64(raw.cpu_seconds),
		MemoryBytes:      uint64(raw.memory_bytes),
		Processes:        uint64(raw.processes),
		DiskBytes:        uint64(raw.disk_bytes),
		TranscriptBytes:  uint64(raw.transcript_bytes),
	}
}

func resolveRequest(raw *C.sync_resolve_request) *ResolveRequest {
	return &ResolveRequest{
		Package:                C.GoString(raw._package),
		Features:               goStrings(raw.features, raw.features_count),
		Programs:               goStrings(raw.programs, raw.programs_count),
		Library:                raw.library != 0,
		WithoutDefaultFeatures: raw.without_default_features != 0,
		Profile:                C.GoString(raw.profile),
		Target:                 C.GoString(raw.target),
		Toolchain:              C.GoString(raw.toolchain),
		Rebuild:                uint64(raw.rebuild),
		Normalise:              goStrings(raw.normalise, raw.normalise_count),
		ScratchDirectory:       C.GoString(raw.scratch_directory),
	}
}

func goStrings(raw **C.char, count C.size_t) []string {
	texts := make([]string, 0, int(count))
	for _, text := range unsafe.Slice(raw, int(count)) {
		texts = append(texts, C.GoString(text))
	}
	return texts
}
