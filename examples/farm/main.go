// Farm is a build farm with a queue, workers and an HTTP interface of its own, which takes part in a group of builders:
// its node hands each rebuild to the farm's queue, where a worker runs it. It is there to be copied.
//
//	farm -config FILE -runner COMMAND [-recipes FOLDER] [-listen HOST:PORT] [-workers N] [-queue N]
//
// The configuration says sandbox = "farm", and source = "recipes" for the farm's own packages. Exit: 0 stopped by a
// signal, 1 the node ended by itself, 2 usage, 3 it cannot start.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"synchronicity.example/synchronicity/node"
)

// stopLimit is what requests may take to end; the node takes what it takes.
const stopLimit = 5 * time.Second

// Options are what the command line says.
type Options struct {
	Config  string
	Listen  string
	Runner  string
	Recipes string
	Workers int
	Queue   int
}

func main() {
	var o Options
	flag.StringVar(&o.Config, "config", "", "the node's configuration, as `synchronicity init` writes it")
	flag.StringVar(&o.Listen, "listen", "127.0.0.1:7690", "where the farm's own interface listens")
	flag.StringVar(&o.Runner, "runner", "", "the command that runs builds, such as sync-exec-bwrap")
	flag.StringVar(&o.Recipes, "recipes", "recipes", "the folder with the farm's own packages")
	flag.IntVar(&o.Workers, "workers", 2, "how many builds run at once")
	flag.IntVar(&o.Queue, "queue", 100, "how many wait at most")
	flag.Parse()
	if flag.NArg() > 0 || o.Config == "" || o.Runner == "" || o.Workers < 1 || o.Queue < 1 {
		fmt.Fprintln(os.Stderr, "farm: -config FILE and -runner COMMAND are wanted, and a worker and a place at least")
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, &o))
}

// run is the whole farm, until the context ends; it returns the exit code.
func run(ctx context.Context, o *Options) int {
	runner, err := filepath.Abs(o.Runner)
	if err != nil {
		return fail(3, err)
	}
	queue := NewQueue(o.Workers, o.Queue)
	// After the node: what it waits for is done before.
	defer queue.Close()
	builder, err := newNode(o, queue, &Runner{Command: runner})
	if err != nil {
		return fail(3, err)
	}
	defer builder.Close()
	if err := builder.Start(); err != nil {
		return fail(3, err)
	}
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return fail(3, err)
	}
	events, err := builder.Events(context.Background(), 1024)
	if err != nil {
		return fail(3, err)
	}
	server := &http.Server{Handler: &handler{node: builder, queue: queue}, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener)
	defer shutDown(server)
	fmt.Printf("farm: listening on http://%s\n", listener.Addr())
	for {
		select {
		case <-ctx.Done():
			return 0
		case event, ok := <-events:
			if !ok {
				return fail(1, fmt.Errorf("the node ended by itself: %v", builder.Close()))
			}
			if event.Kind == node.EventVerdict {
				fmt.Printf("farm: %s %s\n", event.Job, event.Text)
			}
		}
	}
}

// newNode makes the node, with the farm's plugins.
func newNode(o *Options, queue *Queue, runner *Runner) (*node.Node, error) {
	registry, err := node.NewRegistry()
	if err != nil {
		return nil, err
	}
	defer registry.Close()
	err = registry.AddSandbox("farm", "1",
		func(ctx context.Context, request *node.CreateRequest) (node.Sandbox, error) {
			made, err := newSandbox(queue, runner, request)
			if err != nil {
				return nil, err
			}
			return made, nil
		})
	if err != nil {
		return nil, err
	}
	err = registry.AddSource("recipes", "1", "farm", "farm",
		func(ctx context.Context, request *node.CreateRequest) (node.Source, error) {
			return &recipes{folder: o.Recipes}, nil
		})
	if err != nil {
		return nil, err
	}
	return node.Load(o.Config, &node.Options{Registry: registry, Log: logLine})
}

func logLine(level node.LogLevel, line string) {
	fmt.Fprintf(os.Stderr, "%s: %s\n", level, line)
}

func fail(code int, err error) int {
	fmt.Fprintln(os.Stderr, "farm:", err)
	return code
}

func shutDown(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		server.Close()
	}
}
