package page

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/breaker"
)

var (
	today = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	three = today.Add(15*time.Hour + 24*time.Minute + 7*time.Second)
)

// afternoon is a busy account on a free plan: it will run out in the evening. The figures are made up, always the same.
func afternoon() *State {
	s := &State{
		Now: three, Version: "v1.0.0", Mode: "enforce", Plan: "free",
		Load: proxy.Load{InFlight: 6, Limit: 1024},
		Rates: []proxy.Rate{
			{Task: "text-embeddings", PerMinute: 3000, Pace: 3000},
			{Task: "text-generation", PerMinute: 300, Pace: 174, Waiting: 2},
		},
		Breakers: []breaker.Status{{Model: "@cf/meta/llama-4-scout-17b-16e-instruct", NextTrial: three.Add(11 * time.Second)}},
		Store:    Store{Kind: "redis", Policy: "deny"},
		Holders:  3,
	}
	s.Day = fullDay(three)
	neurons := func(share float64) float64 { return math.Round(share*s.Day.Used*100) / 100 }
	lately := func(calls, failed int64, neurons float64, median, slow, first, late int) minutes.Standing {
		ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
		return minutes.Standing{Calls: calls, Failed: failed, Neurons: neurons, Median: ms(median), Slow: ms(slow), FirstByteMedian: ms(first), FirstByteSlow: ms(late)}
	}
	s.Models = []Spender{
		{Name: "@cf/meta/llama-3.3-70b-instruct-fp8-fast", Calls: 1284, Neurons: neurons(0.47), Hour: lately(148, 3, 318.4, 2410, 9800, 310, 1900)},
		{Name: "@cf/meta/llama-4-scout-17b-16e-instruct", Calls: 2019, Neurons: neurons(0.26), Hour: lately(231, 64, 141.2, 1720, 6100, 260, 1450)},
		{Name: "@cf/openai/gpt-oss-120b", Calls: 402, Neurons: neurons(0.16), Hour: lately(37, 0, 88, 4800, 21_000, 640, 3300)},
		{Name: "@cf/baai/bge-m3", Calls: 18_331, Neurons: neurons(0.06), Hour: lately(1904, 12, 41.7, 38, 210, 36, 205)},
		{Name: "@cf/openai/whisper-large-v3-turbo", Calls: 211, Neurons: neurons(0.04), Hour: lately(19, 1, 12.3, 2900, 11_200, 2890, 11_100)},
		{Name: "@cf/black-forest-labs/flux-1-schnell", Calls: 46, Neurons: neurons(0.01), Hour: lately(2, 0, 3.1, 3600, 3900, 3590, 3880)},
	}
	s.Clients = []Spender{
		{Name: "support-bot", Calls: 3120, Neurons: neurons(0.58), Limit: new(5000.0), Hour: lately(341, 58, 377.9, 2080, 8900, 290, 1800)},
		{Name: "search", Calls: 18_402, Neurons: neurons(0.24), Limit: new(3000.0), Hour: lately(1911, 12, 131.4, 39, 2300, 37, 410)},
		{Name: "reports", Calls: 560, Neurons: neurons(0.14), Hour: lately(68, 9, 80.1, 3300, 19_000, 540, 3100)},
		{Name: "notebooks", Calls: 211, Neurons: neurons(0.04), Limit: new(300.0), Hour: lately(21, 1, 15.3, 2700, 11_200, 2600, 11_100)},
	}
	s.Failing = hourOfFailures()
	s.Last = lastFailures(s)
	return s
}

// fullDay is a day whose curve bends as days do, until now, with a day before it.
func fullDay(now time.Time) *Day {
	shape := func(hour float64) float64 { // how much of a day has come by then
		return 1 / (1 + math.Exp(-(hour-13.5)/2.6))
	}
	r := rand.New(rand.NewPCG(1, 2))
	d := &Day{Start: today, Limit: new(10_000.0), Reserved: 61.5, Rate: 0.163, FigureAt: new(now.Add(-4 * time.Minute))}
	bump := 0.0
	for at := today.Add(5 * time.Hour); !at.After(now); at = at.Add(time.Minute) {
		hour := at.Sub(today).Hours()
		bump += r.Float64() * 0.9
		external := 0.0
		if hour > 9.4 {
			external = min((hour-9.4)*130, 412)
		}
		d.Samples = append(d.Samples, minutes.Sample{
			At: at, Day: today.Unix() / 86400, Used: math.Round(8600*shape(hour) + bump/3), Reserved: 20 + 90*r.Float64(), External: math.Round(external),
		})
	}
	last := d.Samples[len(d.Samples)-1]
	d.Used, d.External = last.Used, last.External
	d.Remaining = new(*d.Limit - d.Used - d.External - d.Reserved)
	d.ExpectedAt = new(now.Add(time.Duration(*d.Remaining / d.Rate * float64(time.Second))))
	for hour := 1; hour <= 16; hour++ {
		d.Hours = append(d.Hours, math.Round(min(8600*shape(float64(hour)), d.Used)))
	}
	for hour := 1; hour <= 24; hour++ {
		d.Yesterday = append(d.Yesterday, math.Round(7400*shape(float64(hour)-0.6)))
	}
	d.YesterdayUsed, d.YesterdayNow = d.Yesterday[23], new(math.Round(7400*shape(now.Sub(today).Hours()-0.6)))
	return d
}

func hourOfFailures() []minutes.CodeFailures {
	r := rand.New(rand.NewPCG(3, 4))
	capacity := minutes.CodeFailures{Code: normalize.OutOfCapacity}
	for m := 38; m < minutes.Hour; m++ {
		capacity.Upstream[m] = uint32(r.IntN(4))
		if m > 43 {
			capacity.Guard[m] = uint32(r.IntN(9))
		}
	}
	rate := minutes.CodeFailures{Code: normalize.RequestsPerMinuteExceeded}
	own := minutes.CodeFailures{Code: normalize.RateLimited}
	context := minutes.CodeFailures{Code: normalize.ContextWindowExceeded}
	left := minutes.CodeFailures{Code: normalize.Aborted}
	budget := minutes.CodeFailures{Code: normalize.ClientBudgetExhausted}
	for m := range minutes.Hour {
		if m > 8 && m < 20 {
			rate.Upstream[m] = uint32(r.IntN(3))
			own.Guard[m] = uint32(r.IntN(6))
		}
		if m%11 == 4 {
			context.Upstream[m] = 1
		}
		if m%17 == 9 {
			left.Proxy[m] = 1
		}
		if m > 52 {
			budget.Guard[m] = uint32(r.IntN(3))
		}
	}
	all := []minutes.CodeFailures{capacity, own, rate, budget, context, left}
	for i := range all {
		for m := range minutes.Hour {
			all[i].Total += int64(all[i].Upstream[m]) + int64(all[i].Guard[m]) + int64(all[i].Proxy[m])
		}
	}
	return all
}

func lastFailures(s *State) []proxy.FailureRecord {
	r := rand.New(rand.NewPCG(5, 6))
	var all []proxy.FailureRecord
	for i := range 50 {
		f := s.Failing[min(r.IntN(9), len(s.Failing)-1)*i%len(s.Failing)]
		e, origin := f.Code.Entry(), normalize.OriginUpstream
		if f.Guard != [minutes.Hour]uint32{} && r.IntN(2) == 0 {
			origin = normalize.OriginGuard
		}
		if f.Proxy != [minutes.Hour]uint32{} {
			origin = normalize.OriginProxy
		}
		client, model := s.Clients[r.IntN(len(s.Clients))], s.Models[r.IntN(3)]
		all = append(all, proxy.FailureRecord{
			Time: s.Now.Add(-time.Duration(i*i+3) * time.Second), RequestID: fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64()), Client: client.Name,
			Route: "v1/chat/completions", Model: model.Name, Status: e.Status, Name: e.Slug, Number: e.Number, Origin: string(origin), Fault: string(e.Fault),
		})
	}
	return all
}
