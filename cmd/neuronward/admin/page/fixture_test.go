package page

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/breaker"
	"github.com/neuronward/neuronward/proxy/recent"
	"github.com/neuronward/neuronward/quota"
)

var (
	today = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	three = today.Add(15*time.Hour + 24*time.Minute + 7*time.Second)
)

// neurons are n whole ones.
func neurons(n float64) status.Neurons { return status.Neurons(quota.FromFloat(n)) }

// some is neurons where they may also be missing.
func some(n float64) *status.Neurons { return new(neurons(n)) }

// emptyDay is today, with nothing spent and no limit.
func emptyDay() status.Today {
	return status.Today{
		Day: new(quota.DayOf(today)), Plan: "free", Mode: "enforce",
		Used: some(0), Reserved: some(0), Lost: some(0), External: some(0),
	}
}

const (
	llama70b = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
	scout    = "@cf/meta/llama-4-scout-17b-16e-instruct"
	gptOSS   = "@cf/openai/gpt-oss-120b"
	bgeM3    = "@cf/baai/bge-m3"
	whisper  = "@cf/openai/whisper-large-v3-turbo"
	flux     = "@cf/black-forest-labs/flux-1-schnell"
)

// afternoon is a busy account on the free plan that will run out in the evening. The figures are made up, always the
// same.
func afternoon() *Input {
	in := &Input{Now: three}
	day, samples := busyDay(three)
	in.Samples = samples
	in.Status = &status.Status{
		Version: "v1.0.0", Today: day,
		Requests: proxy.Load{InFlight: 6, Limit: 1024},
		Rates: []proxy.Rate{
			{Task: "text-embeddings", PerMinute: 3000, Pace: 3000},
			{Task: "text-generation", PerMinute: 300, Pace: 174, Waiting: 2},
		},
		Breakers: []breaker.Status{{Model: scout, NextTrial: three.Add(11 * time.Second)}},
	}
	spent := func(name string, calls int64, share float64) status.Spending {
		n := math.Round(share*day.Used.Float()*100) / 100
		return status.Spending{Name: name, Calls: calls, Neurons: neurons(n)}
	}
	in.Status.Models = []status.Model{
		{Spending: spent(llama70b, 1284, 0.47), FitsNow: new(int64(12))},
		{Spending: spent(scout, 2019, 0.26), FitsNow: new(int64(31))},
		{Spending: spent(gptOSS, 402, 0.16), FitsNow: new(int64(9))},
		{Spending: spent(bgeM3, 18_331, 0.06), FitsNow: new(int64(20_410))},
		{Spending: spent(whisper, 211, 0.04)},
		{Spending: spent(flux, 46, 0.01), FitsNow: new(int64(0))},
	}
	in.Status.Clients = []status.Client{
		{Spending: spent("support-bot", 3120, 0.58), Limit: some(5000)},
		{
			Spending: spent("search", 18_402, 0.24), Limit: some(3000),
			Month: &status.Month{Limit: neurons(60_000), Used: neurons(41_250), Remaining: neurons(18_750)},
		},
		{Spending: spent("reports", 560, 0.14)},
		{Spending: spent("notebooks", 211, 0.04), Limit: some(300)},
	}
	for i := range in.Status.Clients {
		if c := &in.Status.Clients[i]; c.Limit != nil {
			c.Remaining = new(*c.Limit - c.Neurons)
		}
	}
	in.Models = map[string]minutes.LastHour{
		llama70b: lastHour(148, 3, 318.4, 2410, 9800, 310, 1900),
		scout:    lastHour(231, 64, 141.2, 1720, 6100, 260, 1450),
		gptOSS:   lastHour(37, 0, 88, 4800, 21_000, 640, 3300),
		bgeM3:    lastHour(1904, 12, 41.7, 38, 210, 36, 205),
		whisper:  lastHour(19, 1, 12.3, 2900, 11_200, 2890, 11_100),
		flux:     lastHour(2, 0, 3.1, 3600, 3900, 3590, 3880),
	}
	in.Clients = map[string]minutes.LastHour{
		"support-bot": lastHour(341, 58, 377.9, 2080, 8900, 290, 1800),
		"search":      lastHour(1911, 12, 131.4, 39, 2300, 37, 410),
		"reports":     lastHour(68, 9, 80.1, 3300, 19_000, 540, 3100),
		"notebooks":   lastHour(21, 1, 15.3, 2700, 11_200, 2600, 11_100),
	}
	type origins = minutes.Origins
	in.Failures = []minutes.CodeFailures{
		{
			Code: normalize.OutOfCapacity,
			Hour: origins{Upstream: 33, Guard: 66}, Recent: origins{Upstream: 6, Guard: 18},
		},
		{Code: normalize.RateLimited, Caller: true, Hour: origins{Guard: 26}},
		{Code: normalize.RequestsPerMinuteExceeded, Hour: origins{Upstream: 10}},
		{Code: normalize.ClientBudgetExhausted, Hour: origins{Guard: 8}, Recent: origins{Guard: 6}},
		{Code: normalize.ContextWindowExceeded, Caller: true, Hour: origins{Upstream: 6}, Recent: origins{Upstream: 1}},
		{Code: normalize.Aborted, Caller: true, Hour: origins{Proxy: 3}},
	}
	in.Status.Failures = lastFailures(in)
	in.Status = judged(in.Status, in)
	return in
}

// lastHour has durations in milliseconds.
func lastHour(calls, failed int64, neurons float64, p50, p99, firstP50, firstP99 int64) minutes.LastHour {
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	return minutes.LastHour{
		Calls: calls, Failed: failed, Neurons: neurons,
		P50: ms(p50), P99: ms(p99), FirstByteP50: ms(firstP50), FirstByteP99: ms(firstP99),
	}
}

// busyDay is a day whose curve bends as days do, until now, with a day before it.
func busyDay(now time.Time) (status.Today, []minutes.Sample) {
	share := func(hour float64) float64 { // of a day, that has come by then
		return 1 / (1 + math.Exp(-(hour-13.5)/2.6))
	}
	r := rand.New(rand.NewPCG(1, 2))
	d := emptyDay()
	d.Limit, d.Reserved = some(10_000), some(61.5)
	d.Replicas, d.Store = 3, status.Store{Kind: "redis", Policy: "deny"}
	d.Reconciliation.CountedUntil = new(now.Add(-4 * time.Minute))
	var samples []minutes.Sample
	bump := 0.0
	for at := today.Add(5 * time.Hour); !at.After(now); at = at.Add(time.Minute) {
		hour := at.Sub(today).Hours()
		bump += r.Float64() * 0.9
		external := 0.0
		if hour > 9.4 {
			external = min((hour-9.4)*130, 412)
		}
		samples = append(samples, minutes.Sample{
			At: at, Day: int64(*d.Day), Used: math.Round(8600*share(hour) + bump/3),
			Reserved: 20 + 90*r.Float64(), External: math.Round(external),
		})
	}
	last := samples[len(samples)-1]
	left := d.Limit.Float() - last.Used - last.External - d.Reserved.Float()
	d.Used, d.External, d.Remaining = some(last.Used), some(last.External), some(left)
	d.Forecast = status.ForecastOf(&d, samples, now)
	d.Hours = make(status.Hourly, 24)
	for i := range 16 {
		d.Hours[i] = some(math.Round(min(8600*share(float64(i+1)), last.Used)))
	}
	d.Yesterday = &status.Yesterday{Hours: make(status.Hourly, 24)}
	for i := range d.Yesterday.Hours {
		d.Yesterday.Hours[i] = some(math.Round(7400 * share(float64(i+1)-0.6)))
	}
	d.Yesterday.Used = *d.Yesterday.Hours[23]
	d.Yesterday.ByNow = some(math.Round(7400 * share(now.Sub(today).Hours()-0.6)))
	return d, samples
}

func lastFailures(in *Input) []recent.Failure {
	r := rand.New(rand.NewPCG(5, 6))
	var all []recent.Failure
	for i := range 50 {
		f := in.Failures[min(r.IntN(9), len(in.Failures)-1)*i%len(in.Failures)]
		e, origin := f.Code.Entry(), normalize.OriginUpstream
		if f.Hour.Guard > 0 && r.IntN(2) == 0 {
			origin = normalize.OriginGuard
		}
		if f.Hour.Proxy > 0 {
			origin = normalize.OriginProxy
		}
		client, model := in.Status.Clients[r.IntN(4)], in.Status.Models[r.IntN(3)]
		all = append(all, recent.Failure{
			Time: in.Now.Add(-time.Duration(i*i+3) * time.Second), Route: "v1/chat/completions",
			RequestID: fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64()), Client: client.Name, Model: model.Name,
			Status: e.Status, Name: e.Slug, Number: e.Number, Origin: string(origin), Fault: string(e.Fault),
			Method: "POST", Path: "/v1/chat/completions", Message: e.Summary, Ray: fmt.Sprintf("%016x-FRA", r.Uint64()),
		})
	}
	return all
}
