package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	account = "0123456789abcdef0123456789abcdef"
	model   = "@cf/meta/llama-3.1-8b-instruct-fp8"

	embedder = "@cf/baai/bge-m3"
)

// A kind is a proxy to compare.
type kind struct {
	name    string
	command func(b *bench, listen string, upstream *url.URL) (args, environ []string, err error)
}

// ours is the one whose profiles are taken.
const ours = "neuronward"

// kinds are all of them; the others are compared with the first one.
func (b *bench) kinds() []kind {
	all := []kind{
		{"stock", func(_ *bench, listen string, upstream *url.URL) ([]string, []string, error) {
			self, err := os.Executable()
			return []string{self, "stock", "-listen", listen, "-upstream", upstream.String()}, nil, err
		}},
		{"stock pooled", func(_ *bench, listen string, upstream *url.URL) ([]string, []string, error) {
			self, err := os.Executable()
			return []string{self, "stock", "-pool", "-listen", listen, "-upstream", upstream.String()},
				[]string{"GOGC=400"}, err
		}},
		{ours, neuronward},
		{"nginx", nginx},
		{"caddy", caddy},
	}
	if b.before != "" {
		all = append(all, kind{"before", func(b *bench, listen string, to *url.URL) ([]string, []string, error) {
			_, environ, err := neuronward(b, listen, to)
			return []string{b.before}, environ, err
		}})
	}
	return all
}

func neuronward(b *bench, listen string, upstream *url.URL) (args, environ []string, err error) {
	return []string{b.binary}, []string{
		"CLOUDFLARE_ACCOUNT_ID=" + account, "CLOUDFLARE_API_TOKEN=0123456789-0123456789-0123456789-0123456",
		"NEURONWARD_UPSTREAM=" + upstream.String() + "/client/v4", "NEURONWARD_LISTEN=" + listen,
		"NEURONWARD_ADMIN_LISTEN=" + b.admin, "NEURONWARD_PPROF=" + strconv.FormatBool(b.admin != ""),
		"NEURONWARD_MODELS=" + model + "," + embedder, "NEURONWARD_PLAN=paid",
		"NEURONWARD_DAILY_NEURONS=1000000000", "NEURONWARD_RATE_LIMITS=off", "NEURONWARD_STORE=memory:",
	}, nil
}

// configured writes the configuration of a proxy that is installed.
func configured(b *bench, program, file, text string) (path string, err error) {
	if _, err := exec.LookPath(program); err != nil {
		return "", errors.New("it is not installed")
	}
	path = filepath.Join(b.dir, file)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

func nginx(b *bench, listen string, upstream *url.URL) (args, environ []string, err error) {
	if upstream.Scheme == "https" {
		return nil, nil, errors.New("it does not speak HTTP/2 to an upstream")
	}
	path, err := configured(b, "nginx", "nginx.conf", fmt.Sprintf(`daemon off;
master_process off;
worker_processes 1;
pid %s/nginx.pid;
error_log /dev/null;
events { worker_connections 4096; }
http {
  access_log %[1]s/nginx.log;
  client_max_body_size 64m;
  client_body_temp_path %[1]s/nginx-body;
  keepalive_requests 1000000000;
  upstream ai { server %[2]s; keepalive 512; keepalive_requests 1000000000; }
  server {
    listen %[3]s;
    location / { proxy_pass http://ai; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_request_buffering off; }
  }
}
`, b.dir, upstream.Host, listen))
	return []string{"nginx", "-c", path}, nil, err
}

func caddy(b *bench, listen string, upstream *url.URL) (args, environ []string, err error) {
	path, err := configured(b, "caddy", "Caddyfile", fmt.Sprintf(`{
	admin off
	auto_https off
}
http://%s {
	log {
		output file %s/caddy.log
	}
	reverse_proxy %s {
		flush_interval -1
	}
}
`, listen, b.dir, upstream))
	return []string{"caddy", "run", "--adapter", "caddyfile", "--config", path}, []string{"HOME=" + b.dir}, err
}

// A peer is a proxy that runs.
type peer struct {
	addr     string
	tls      *tls.Config // nil: it is called without TLS
	upstream *url.URL
	cmd      *exec.Cmd     // nil: it is upstream itself
	output   string        // file of its log, as a real one is
	ended    chan struct{} // closed once it has
	began    time.Duration // from its start to its first answer
}

// start starts a proxy for a scenario and waits for its first answer.
func (b *bench) start(ctx context.Context, k kind, s *scenario) (*peer, error) {
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	upstream := b.upstream.plain
	if s.secure() {
		upstream = b.upstream.secure
	}
	args, environ, err := k.command(b, addr, upstream)
	if err != nil {
		return nil, err
	}
	environ = append(environ, s.environ...)
	cores := max(s.cores, b.cores, 1)
	if _, err := exec.LookPath("taskset"); err == nil && cores < runtime.NumCPU() {
		last := runtime.NumCPU() - 1
		args = append([]string{"taskset", "-c", fmt.Sprintf("%d-%d", last-cores+1, last)}, args...)
	}
	p := &peer{
		addr: addr, upstream: upstream, cmd: exec.CommandContext(ctx, args[0], args[1:]...),
		output: filepath.Join(b.dir, "output"),
	}
	p.cmd.Env = append(environ, "PATH="+os.Getenv("PATH"), "SSL_CERT_FILE="+b.upstream.cert)
	output, err := os.Create(p.output)
	if err != nil {
		return nil, err
	}
	p.cmd.Stderr = output
	began := time.Now()
	err = p.cmd.Start()
	output.Close() //nolint:errcheck // the peer has its own
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = p.cmd.Wait() // how it ended, its output says
		close(ended)
	}()
	p.ended = ended
	for time.Since(began) < time.Minute {
		if c, err := dial(ctx, p); err == nil {
			err = c.call(request(chatBody(), "json"))
			c.Close()
			if err == nil {
				p.began = time.Since(began)
				return p, nil
			}
		}
		select {
		case <-ended:
			return nil, fmt.Errorf("it ended: %s", p.said())
		case <-time.After(time.Millisecond):
		}
	}
	p.stop()
	return nil, fmt.Errorf("it does not answer: %s", p.said())
}

// said is what a peer wrote of itself.
func (p *peer) said() string {
	text, err := os.ReadFile(p.output)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (p *peer) stop() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// cpu is the CPU time that the threads of a peer have taken. What /proc/PID/stat says is in ticks, which are too long.
func (p *peer) cpu() (time.Duration, error) {
	if p.cmd == nil {
		return 0, nil
	}
	var sum time.Duration
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	for _, t := range threads {
		text, err := os.ReadFile(t)
		if err != nil {
			continue // the thread has ended
		}
		ran, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ns)
	}
	return sum, err
}

func (p *peer) threads() (int, error) {
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.cmd.Process.Pid))
	return len(all), err
}

// rss is the memory that a peer has, in bytes.
func (p *peer) rss() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseFloat(strings.Fields(string(text))[1], 64)
	return pages * float64(os.Getpagesize()), err
}

func freeAddr(ctx context.Context) (string, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// serveStock is the proxy of the standard library.
func serveStock(args []string) error {
	flags := flag.NewFlagSet("stock", flag.ContinueOnError)
	listen, to := flags.String("listen", "", "address"), flags.String("upstream", "", "URL")
	pooled := flags.Bool("pool", false, "pool buffers")
	if err := flags.Parse(args); err != nil {
		return err
	}
	upstream, err := url.Parse(*to)
	if err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 1024
	p := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream) }, Transport: transport,
	}
	if *pooled {
		p.BufferPool = &pool{sync.Pool{New: func() any { return new([32 << 10]byte) }}}
	}
	s := &http.Server{Addr: *listen, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex() // else an early answer breaks its connection upstream
			p.ServeHTTP(w, r)
		})}
	return s.ListenAndServe()
}

type pool struct{ pool sync.Pool }

func (p *pool) Get() []byte    { return p.pool.Get().(*[32 << 10]byte)[:] }
func (p *pool) Put(buf []byte) { p.pool.Put((*[32 << 10]byte)(buf)) }
