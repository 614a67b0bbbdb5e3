package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A bench is one run over all peers.
type bench struct {
	out    io.Writer
	dir    string // for files of the peers
	binary string // neuronward; "": it is built from root
	before string // another neuronward, to compare with; "": there is none
	root   string // of the repository
	rounds int
	time   time.Duration // of one measurement
	peers  []string      // names; nil: all
	only   string        // part of the scenarios' names
	idle   int           // idle streams
	cores  int           // that a proxy is pinned to, unless a scenario says more
	keep   string        // where profiles of neuronward are kept; "": none are taken
	admin  string        // neuronward's admin listener, for profiles; "": it has none

	upstream *upstream
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "stock" {
		if err := serveStock(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	b := bench{out: os.Stdout}
	flag.StringVar(&b.binary, "binary", "", "neuronward (built from -root)")
	flag.StringVar(&b.before, "before", "", "another binary of neuronward, to compare with in the same rounds")
	flag.StringVar(&b.root, "root", "../../..", "the repository")
	flag.IntVar(&b.rounds, "rounds", 3, "rounds, of which the tables show the median")
	flag.DurationVar(&b.time, "time", 3*time.Second, "time of each measurement")
	flag.StringVar(&b.only, "run", "", "scenarios whose names hold this")
	flag.IntVar(&b.idle, "idle", 500, "idle streams")
	flag.IntVar(&b.cores, "cores", 1, "cores that each proxy is pinned to")
	flag.StringVar(&b.keep, "profiles", "", "a directory for profiles of neuronward, which cost some CPU")
	soak := flag.Duration("soak", 0, "instead of all else, hold callers with failures against neuronward for so long")
	peers := flag.String("peers", "", "names of peers, with commas between them")
	flag.Parse()
	if *peers != "" {
		b.peers = strings.Split(*peers, ",")
	}
	run := b.run
	if *soak > 0 {
		run = func(ctx context.Context) error { return b.soak(ctx, *soak, soakPause) }
	}
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A figure is one measurement: its value, and a second one beside it, such as calls a second.
type figure struct {
	value, beside float64
}

// A scenario is one kind of load. Its figures are compared by their values.
type scenario struct {
	name, unit, beside string
	measure            func(ctx context.Context, b *bench, p *peer) (figure, error)
	cores              int      // that a proxy is pinned to; 0: as the bench says
	environ            []string // of neuronward; no other proxy knows it
}

// secure reports whether upstream speaks TLS and HTTP/2.
func (s *scenario) secure() bool { return strings.Contains(s.name, "TLS") }

func (b *bench) run(ctx context.Context) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	defer b.end()
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Fprintf(b.out, "load of the machine at the beginning: %s", load)
	}
	for _, s := range scenarios() {
		if strings.Contains(s.name, b.only) {
			if err := b.table(ctx, &s); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	return nil
}

// prepare builds neuronward and starts what all measurements need.
func (b *bench) prepare(ctx context.Context) (err error) {
	if b.dir, err = os.MkdirTemp("", "peers"); err != nil {
		return err
	}
	if b.keep != "" {
		if b.admin, err = freeAddr(ctx); err != nil {
			return err
		}
	}
	if b.binary == "" {
		b.binary = filepath.Join(b.dir, "neuronward")
		cmd := exec.CommandContext(ctx, "go", "build", "-o", b.binary, "./cmd/neuronward")
		cmd.Dir = b.root
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is released
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	if info, err := os.Stat(b.binary); err == nil {
		fmt.Fprintf(b.out, "the binary has %.1f MiB\n", float64(info.Size())/(1<<20))
	}
	for _, path := range []*string{&b.binary, &b.before} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	b.upstream, err = newUpstream(b.dir)
	return err
}

func (b *bench) end() {
	b.upstream.close()
	_ = os.RemoveAll(b.dir) // nothing depends on it
}

// table measures all peers in turn, round by round, and prints the medians and the ratios within a round.
func (b *bench) table(ctx context.Context, s *scenario) error {
	var names []string
	figures := map[string][]figure{}
	for round := range b.rounds {
		for _, k := range b.kinds() {
			if b.peers != nil && !slices.Contains(b.peers, k.name) {
				continue
			}
			p, err := b.start(ctx, k, s)
			if err != nil {
				if round == 0 {
					fmt.Fprintf(b.out, "%s: %s is skipped: %v\n", s.name, k.name, err)
				}
				continue
			}
			profiled := b.profile(ctx, k.name, fmt.Sprintf("%s, round %d", s.name, round+1))
			f, err := s.measure(ctx, b, p)
			err = errors.Join(err, <-profiled)
			p.stop()
			if err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			if round == 0 {
				names = append(names, k.name)
			}
			figures[k.name] = append(figures[k.name], f)
		}
	}
	fmt.Fprintf(b.out, "\n%s\n  %-12s %12s %18s %14s\n", s.name, "", s.unit, "ratio (min…max)", s.beside)
	for _, name := range names {
		var values, ratios, beside []float64
		for i, f := range figures[name] {
			values, beside = append(values, f.value), append(beside, f.beside)
			ratios = append(ratios, f.value/figures[names[0]][i].value)
		}
		fmt.Fprintf(b.out, "  %-12s %12.4g %5.2f (%.2f…%.2f) %14.4g\n", name, median(values), median(ratios),
			slices.Min(ratios), slices.Max(ratios), median(beside))
	}
	return nil
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
