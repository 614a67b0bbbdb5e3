package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
)

// A costSite is one replica of a proxy on Workers Paid with its admin listener.
type costSite struct {
	t       *testing.T
	n       *quotas
	handler http.Handler
}

func openCostSite(t *testing.T, store quota.Store, beat time.Duration) *costSite {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	c, err := config.Load(environ("NEURONWARD_PLAN=paid", "NEURONWARD_STORE=memory:"), new(config.Redactor))
	if err != nil {
		t.Fatal(err)
	}
	n, err := newQuotas(t.Context(), quota.Options{Store: store, Heartbeat: beat}, func() bool { return false },
		price.Bound, 0.011, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	m := metrics.New(metrics.Build{})
	m.WatchQuota(n.gauges)
	p, err := proxy.New(proxyConfig(c, n, log, m))
	if err != nil {
		t.Fatal(err)
	}
	source := n.source(c)
	source.Proxy, source.Prices = p, func() status.Prices { return status.Prices{} }
	source.Settings = func() []config.Setting { return nil }
	red := new(config.Redactor)
	return &costSite{t, n, admin.Handler(admin.Options{
		Metrics: m.Handler(), Unready: func() string { return "" }, Status: source.Status, History: source.History,
		Minutes: m.Minutes(), Redact: func(w io.Writer) admin.Redactor { return red.Writer(w) },
		Setting: config.SettingName,
	})}
}

func (s *costSite) close() {
	if err := s.n.close(time.Minute, slog.New(slog.DiscardHandler)); err != nil {
		s.t.Error(err)
	}
}

func (s *costSite) spend(model, client string, micro int64) {
	s.t.Helper()
	n := quota.Neurons(micro)
	res, d, err := s.n.ledger.Reserve(s.t.Context(), quota.Call{
		Model: model, Client: client, CountClient: true, Estimate: n,
	})
	if err != nil || res == nil {
		s.t.Fatalf("Reserve() = %+v, %v, want a reservation", d, err)
	}
	res.Settle(quota.Cost{Neurons: n, Basis: quota.Reported})
}

func (s *costSite) get(path string) string {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:3037"+path, http.NoBody)
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s: got %d %s, want 200", path, w.Code, w.Body)
	}
	return w.Body.String()
}

// A costLog is what the test itself has spent: micro-neurons by day and client.
type costLog map[string]map[string]int64

// bill is what Workers AI asks for these days: 0.011 dollars for 1,000 neurons beyond 10,000 on each of them. client
// has a share in proportion; "" is all of it.
func (l costLog) bill(days string, client string) string {
	sum := new(big.Rat)
	for day, clients := range l {
		if !strings.HasPrefix(day, days) {
			continue
		}
		whole, part := int64(0), int64(0)
		for name, n := range clients {
			whole += n
			if client == "" || name == client {
				part += n
			}
		}
		if paid := whole - 10_000_000_000; paid > 0 {
			usd := new(big.Rat).Mul(big.NewRat(paid, 1_000_000_000), big.NewRat(11, 1000))
			sum.Add(sum, usd.Mul(usd, big.NewRat(part, whole)))
		}
	}
	return sum.FloatString(2)
}

// agrees fails the test where one of the places that show dollars says something else than the bill.
func (s *costSite) agrees(l costLog, now time.Time, days int) {
	s.t.Helper()
	today, month := now.Format(time.DateOnly), now.Format("2006-01")
	wantDay, wantMonth := l.bill(today, ""), l.bill(month, "")
	is := func(where, got, want string) {
		s.t.Helper()
		equal(s.t, now.Format(time.RFC3339)+" "+where, got, want)
	}

	var r usageReport
	var h status.History
	parse(s.t, s.get("/status"), &r.Today)
	parse(s.t, s.get(fmt.Sprintf("/status/history?days=%d", days)), &h)
	r.Days = h.Days
	is("/status usd_today", r.Today.Cost.Today.String(), wantDay)
	is("/status usd_month", r.Today.Cost.Month.String(), wantMonth)
	for _, c := range r.Today.Clients {
		is("/status client "+c.Name, c.USD.String(), l.bill(today, c.Name))
	}
	for _, d := range r.Days {
		is("/status/history "+d.Day.String(), d.USD.String(), l.bill(d.Day.String(), ""))
	}
	contains(s.t, "usage", screen{}.usage(r, now),
		fmt.Sprintf("dollars   %*s  today, %s this month", numberWidth, wantDay, wantMonth))

	page := s.get("/")
	contains(s.t, "page", page, `data-figure="usd-today" data-value="`+wantDay+`">`)
	contains(s.t, "page", page, `data-figure="usd-month" data-value="`+wantMonth+`">`)

	series := s.get("/metrics")
	for window, want := range map[string]string{"day": wantDay, "month": wantMonth} {
		of := regexp.MustCompile(`(?m)^neuronward_cost_usd\{window="` + window + `"\} (.*)$`)
		found := of.FindStringSubmatch(series)
		if found == nil {
			s.t.Fatalf("no series neuronward_cost_usd of the %s", window)
		}
		is("series of the "+window, toCents(s.t, found[1]), want)
	}

	rows, err := csv.NewReader(strings.NewReader(s.get(fmt.Sprintf("/status/history.csv?days=%d", days)))).ReadAll()
	if err != nil {
		s.t.Fatal(err)
	}
	is("CSV head", strings.Join(rows[0], ","), "day,model,client,calls,neurons,usd")
	ofMonth, ofClient := 0.0, map[string]float64{}
	for _, row := range rows[1:] {
		usd, err := strconv.ParseFloat(row[5], 64)
		if err != nil {
			s.t.Fatal(err)
		}
		if strings.HasPrefix(row[0], month) {
			ofMonth += usd
			ofClient[row[2]] += usd
		}
	}
	is("CSV of the month", strconv.FormatFloat(ofMonth, 'f', 2, 64), wantMonth)
	for client, usd := range ofClient {
		is("CSV of client "+client, strconv.FormatFloat(usd, 'f', 2, 64), l.bill(month, client))
	}
}

func parse(t *testing.T, body string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatal(err)
	}
}

func toCents(t *testing.T, value string) string {
	t.Helper()
	f, err := strconv.ParseFloat(value, 64)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

// Two replicas serve two clients over a month's end; one of them is started anew in between. All that shows dollars
// agrees to the cent, with each other and with the bill.
func TestDollarsAgreeWithTheBill(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		store, spent := memstore.New(nil), costLog{}
		const beat = 2 * time.Second
		start := time.Now().UTC().Truncate(24 * time.Hour)
		begin := start.Add(29 * 24 * time.Hour) // 30 January
		time.Sleep(time.Until(begin))
		a, b := openCostSite(t, store, beat), openCostSite(t, store, beat)
		const days = 4
		for i := range days * 4 {
			at := begin.Add(time.Duration(i)*6*time.Hour + time.Minute)
			time.Sleep(time.Until(at))
			day := at.Format(time.DateOnly)
			if spent[day] == nil {
				spent[day] = map[string]int64{}
			}
			// From 4,000 to 36,000 neurons a day, with odd millionths.
			x := 700_000_007 + int64(i/4%5)*1_700_000_123 + int64(i%4)*333_333_333
			y := 300_000_001 + int64(i/4%3)*901_234_567
			a.spend("@cf/one", "alpha", x)
			b.spend("@cf/two", "beta", y)
			b.spend("@cf/one", "beta", y/3)
			spent[day]["alpha"] += x
			spent[day]["beta"] += y + y/3
			time.Sleep(2 * time.Minute)
			if i == 9 {
				b.close()
				b = openCostSite(t, store, beat)
			}
			if i%3 == 0 || at.Day() == 1 {
				a.agrees(spent, time.Now().UTC(), days)
				b.agrees(spent, time.Now().UTC(), days)
			}
		}
		lacks(t, "status after whole days", a.get("/status"), `"usd_month_forecast": null`)
		a.close()
		b.close()
	})
}
