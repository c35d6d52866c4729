package node

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime/cgo"
	"sync"
)

// Registry holds the plugins that configurations can choose by name, beside those that are built in. It may be used by
// many goroutines at once.
type Registry struct {
	mutex  sync.Mutex
	raw    *C.sync_registry // nil when it is closed
	checks int              // that run; the last one frees what was closed meanwhile
}

// NewRegistry makes an empty one.
func NewRegistry() (*Registry, error) {
	if err := checkVersion(); err != nil {
		return nil, err
	}
	registry := &Registry{}
	var failure *C.sync_error
	if err := takeError(C.sync_registry_create(0, &registry.raw, &failure), failure); err != nil {
		return nil, err
	}
	return registry, nil
}

// AddSandbox lets configurations say sandbox = "NAME". The name has 1 to 64 lower-case letters, digits and hyphens; the
// version, 1 to 64 printable characters, is for people and for statements. create makes an instance for one node, or
// for one epoch of it, in 60 s.
func (r *Registry) AddSandbox(
	name, version string, create func(ctx context.Context, request *CreateRequest) (Sandbox, error),
) error {
	return r.add(C.BRIDGE_SANDBOX, name, version, "", "",
		func(ctx *callContext, request *CreateRequest) (instance, error) {
			made, err := create(ctx, request)
			return instance{sandbox: made}, err
		})
}

// AddSigner lets configurations say signer = "NAME"; the rest is as for AddSandbox.
func (r *Registry) AddSigner(
	name, version string, create func(ctx context.Context, request *CreateRequest) (Signer, error),
) error {
	return r.add(C.BRIDGE_SIGNER, name, version, "", "",
		func(ctx *callContext, request *CreateRequest) (instance, error) {
			made, err := create(ctx, request)
			return instance{signer: made}, err
		})
}

// AddSource lets configurations say source = "NAME"; the rest is as for AddSandbox. packageType is of the packages that
// it serves, such as "cargo"; originType of the purl in its sources' origins, such as "generic".
func (r *Registry) AddSource(
	name, version, packageType, originType string,
	create func(ctx context.Context, request *CreateRequest) (Source, error),
) error {
	return r.add(C.BRIDGE_SOURCE, name, version, packageType, originType,
		func(ctx *callContext, request *CreateRequest) (instance, error) {
			made, err := create(ctx, request)
			return instance{source: made}, err
		})
}

// AddStorage lets configurations say storage = "NAME"; the rest is as for AddSandbox.
func (r *Registry) AddStorage(
	name, version string, create func(ctx context.Context, request *CreateRequest) (Storage, error),
) error {
	return r.add(C.BRIDGE_STORAGE, name, version, "", "",
		func(ctx *callContext, request *CreateRequest) (instance, error) {
			made, err := create(ctx, request)
			return instance{storage: made}, err
		})
}

func (r *Registry) add(
	kind C.int, name, version, packageType, originType string,
	create func(ctx *callContext, request *CreateRequest) (instance, error),
) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.raw == nil {
		return ErrClosed
	}
	var strings texts
	defer strings.free()
	var raw [4]*C.char
	for i, text := range []struct{ what, text string }{
		{"the plugin's name", name}, {"the plugin's version", version},
		{"the source's type", packageType}, {"the source's origin type", originType},
	} {
		var err error
		if raw[i], err = strings.add(text.what, text.text); err != nil {
			return err
		}
	}
	handle := cgo.NewHandle(&registration{name: name, create: create})
	held.plugins.Add(1)
	var failure *C.sync_error
	status := C.bridge_registry_add(r.raw, kind, raw[0], raw[1], raw[2], raw[3], C.uintptr_t(handle), &failure)
	return takeError(status, failure)
}

// Load adds the plugin that a shared object holds, by its absolute path; it stays loaded. Its code runs in this process
// with all its rights: load what you trust.
func (r *Registry) Load(path string) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.raw == nil {
		return ErrClosed
	}
	var strings texts
	defer strings.free()
	raw, err := strings.add("the plugin's path", path)
	if err != nil {
		return err
	}
	var failure *C.sync_error
	return takeError(C.sync_registry_load(r.raw, raw, &failure), failure)
}

// Close frees it; nodes that were made with it keep what they need, and so do checks that run. A second time does
// nothing.
func (r *Registry) Close() error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.checks == 0 {
		C.sync_registry_destroy(r.raw)
	}
	r.raw = nil
	return nil
}

// use keeps the registry from being freed until release, without keeping others from it: what is called meanwhile may
// use it too, and close it.
func (r *Registry) use() (*C.sync_registry, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.raw == nil {
		return nil, ErrClosed
	}
	r.checks++
	return r.raw, nil
}

func (r *Registry) release(raw *C.sync_registry) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.checks--
	if r.checks == 0 && r.raw == nil {
		C.sync_registry_destroy(raw)
	}
}
