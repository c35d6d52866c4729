package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"synchronicity.example/synchronicity/node"
)

// submitLimit is what pinning a package's inputs may take.
const submitLimit = 10 * time.Minute

// rebuild is a job as the farm shows it.
type rebuild struct {
	Job       node.Digest `json:"job"`
	Phase     string      `json:"phase"`
	Verdict   string      `json:"verdict"`
	Agreeing  int         `json:"agreeing"`
	Committed int         `json:"committed"`
}

// handler is the farm's own interface, in HTTP:
//
//	GET  /status                               the node's, as JSON
//	GET  /queue                                what runs and what waits, as JSON
//	POST /rebuilds?package=PURL                asks the group for a rebuild; also priority=N and rebuild=N
//	GET  /rebuilds/JOB                         how far it is, as JSON; with wait=SECONDS waits for its proof as long
//	GET  /rebuilds/JOB/proof                   its proof file
//	GET  /artifacts/SHA256                     an artifact that this farm has
type handler struct {
	node  *node.Node
	queue *Queue
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	method := http.MethodGet
	var serve func() error
	switch {
	case len(parts) == 1 && parts[0] == "status":
		serve = func() error { return h.status(w) }
	case len(parts) == 1 && parts[0] == "queue":
		serve = func() error { return writeJSON(w, http.StatusOK, h.queue.Lines()) }
	case len(parts) == 1 && parts[0] == "rebuilds":
		method = http.MethodPost
		serve = func() error { return h.submit(w, r) }
	case len(parts) == 2 && parts[0] == "rebuilds":
		serve = func() error { return h.show(w, r, parts[1]) }
	case len(parts) == 3 && parts[0] == "rebuilds" && parts[2] == "proof":
		serve = func() error { return h.proof(w, parts[1]) }
	case len(parts) == 2 && parts[0] == "artifacts":
		serve = func() error { return h.artifact(w, r, parts[1]) }
	default:
		http.Error(w, "There is no such page; see /status and /queue.", http.StatusNotFound)
		return
	}
	if r.Method != method {
		w.Header().Set("Allow", method)
		http.Error(w, fmt.Sprintf("%s is wanted here, not %s.", method, r.Method), http.StatusMethodNotAllowed)
		return
	}
	if err := serve(); err != nil {
		http.Error(w, err.Error(), httpStatus(err))
	}
}

// badRequest is what a client has done wrong.
type badRequest struct{ error }

func httpStatus(err error) int {
	var bad badRequest
	switch {
	case errors.As(err, &bad), errors.Is(err, node.CodeInvalid), errors.Is(err, node.CodeInvalidArgument):
		return http.StatusBadRequest
	case errors.Is(err, node.CodeNotFound):
		return http.StatusNotFound
	case errors.Is(err, node.CodeState), errors.Is(err, node.ErrClosed), errors.Is(err, node.CodeUnavailable):
		return http.StatusServiceUnavailable
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

func (h *handler) status(w http.ResponseWriter) error {
	status, err := h.node.StatusJSON()
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, status)
}

func (h *handler) submit(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	asked := node.SubmitRequest{Package: query.Get("package")}
	if asked.Package == "" {
		return badRequest{errors.New("package=PURL is missing, such as package=pkg:farm/hello@1")}
	}
	if text := query.Get("priority"); text != "" {
		priority, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return badRequest{fmt.Errorf("priority=%s is not a whole number", text)}
		}
		asked.Priority = int32(priority)
	}
	if text := query.Get("rebuild"); text != "" {
		number, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return badRequest{fmt.Errorf("rebuild=%s is not a whole number", text)}
		}
		asked.Rebuild = number
	}
	ctx, cancel := context.WithTimeout(r.Context(), submitLimit)
	defer cancel()
	job, err := h.node.Submit(ctx, &asked)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/rebuilds/"+job.String())
	return writeJSON(w, http.StatusAccepted, map[string]node.Digest{"job": job})
}

func (h *handler) show(w http.ResponseWriter, r *http.Request, text string) error {
	job, err := node.ParseDigest(text)
	if err != nil {
		return badRequest{err}
	}
	if text := r.URL.Query().Get("wait"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return badRequest{fmt.Errorf("wait=%s is not a number of seconds up to 65535", text)}
		}
		ctx, cancel := context.WithTimeout(r.Context(), time.Duration(seconds)*time.Second)
		defer cancel()
		if _, err := h.node.Wait(ctx, job, node.PhaseCosigned); err != nil && ctx.Err() == nil {
			return err
		}
	}
	status, err := h.node.Job(job)
	if err != nil {
		return err
	}
	if status.Phase == node.PhaseUnknown {
		return fmt.Errorf("there is no job %s: %w", job, node.CodeNotFound)
	}
	return writeJSON(w, http.StatusOK, rebuild{
		Job: job, Phase: status.Phase.String(), Verdict: status.Verdict.String(),
		Agreeing: status.Agreeing, Committed: status.Committed,
	})
}

func (h *handler) proof(w http.ResponseWriter, text string) error {
	job, err := node.ParseDigest(text)
	if err != nil {
		return badRequest{err}
	}
	proof, err := h.node.Proof(job)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err = w.Write(proof)
	return err
}

func (h *handler) artifact(w http.ResponseWriter, r *http.Request, text string) error {
	digest, err := node.ParseDigest(text)
	if err != nil {
		return badRequest{err}
	}
	path, err := h.node.Artifact(digest)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeFile(w, r, path)
	return nil
}

func writeJSON(w http.ResponseWriter, status int, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(append(text, '\n'))
	return err
}
