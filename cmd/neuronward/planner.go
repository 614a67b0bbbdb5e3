package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/bill"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/cmd/neuronward/dayplan"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/proxy/measure"
	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/proxy/outputlimit"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// A planner works out a day of calls to one model.
type planner struct {
	c         *config.Config
	estimator *price.Estimator
	model     price.Model
	request   workload.Request // without a limit of output
	output    int64            // tokens of an answer that nothing limits
	callers   int
	duration  time.Duration
}

// A planReport is what plan shows, and what --json prints.
type planReport struct {
	Model    string          `json:"model"`
	Plan     string          `json:"plan"`
	Estimate string          `json:"estimate"`
	Limit    *status.Neurons `json:"limit"` // of the day; null: none

	PromptBytes  int64          `json:"prompt_bytes"`
	PromptTokens int64          `json:"prompt_tokens"` // as counted
	OutputTokens int64          `json:"output_tokens"` // of the answer, within its limit
	MaxTokens    *int64         `json:"max_tokens"`    // null: calls name no limit
	Fit          bool           `json:"fit"`           // max_tokens is that of the first call
	Cut          bool           `json:"cut"`           // the limit is less than answers would have
	Reserved     status.Neurons `json:"reserved"`      // while a call runs
	Neurons      status.Neurons `json:"neurons"`       // that it costs

	Callers     int            `json:"callers"`
	Seconds     float64        `json:"seconds_per_call"`
	AtOnce      *int           `json:"calls_at_once"` // when the day begins; null: no limit
	Calls       int64          `json:"calls_a_day"`
	NeuronsADay status.Neurons `json:"neurons_a_day"`
	LimitedBy   dayplan.Limit  `json:"limited_by"`
	WaitingAt   *string        `json:"waiting_at"` // "12:30", UTC, when the first caller waits; null: none does
	SpentAt     *string        `json:"spent_at"`   // when no call fits any more; null: always one does
	USDADay     float64        `json:"usd_a_day"`
	USDAMonth   float64        `json:"usd_a_month"`
	Advice      string         `json:"advice"` // "": there is none
}

// findModel resolves the model, or says what to name instead.
func (p *planner) findModel(name string) error {
	p.model = p.estimator.Resolve(modelname.Canonical(name))
	switch m := p.model; {
	case !m.Known:
		table := p.estimator.Table()
		others := slices.DeleteFunc(table.Models(), func(other string) bool {
			row, _ := table.Row(other)
			return row.InputPerM == 0 && row.OutputPerM == 0 || row.Deprecated(time.Now())
		})
		return fmt.Errorf("--model: no price of %q is known; %s", name, nearModels(name, others))
	case m.InputPerM == 0 && m.OutputPerM == 0:
		return fmt.Errorf("--model: %s is of the task %s and not billed by tokens; plan knows models of text", name,
			m.Task)
	case m.Deprecated(time.Now()):
		return fmt.Errorf("--model: %s was deprecated on %s; name another one", name, m.DeprecatedOn)
	case m.RequiresWorkersPaid && p.c.Plan == config.PlanFree:
		return fmt.Errorf("--model: %s requires Workers Paid, which the free plan is not; add --plan paid", name)
	}
	return nil
}

// measurePrompt measures a call with a prompt as the proxy does.
func measurePrompt(m price.Model, prompt string) (workload.Request, error) {
	text, err := json.Marshal(prompt)
	if err != nil {
		return workload.Request{}, err
	}
	body := fmt.Appendf(nil, `{"model":%q,"messages":[{"role":"user","content":%s}]}`, m.Name, text)
	protocol := normalize.ProtocolOpenAI
	if m.Task != workload.TextGeneration {
		body, protocol = fmt.Appendf(nil, `{"text":[%s]}`, text), normalize.ProtocolNative
	}
	found, err := measure.Scan(jsonscan.Pieces{body}, measure.Options{Protocol: protocol, Count: true})
	if err != nil {
		return workload.Request{}, err
	}
	return found.Request(m.Task), nil
}

// call returns what a call reserves and costs with a limit of output tokens, 0 for none, and how many tokens its answer
// has.
func (p *planner) call(limit int64) (c dayplan.Call, output int64) {
	r := p.request
	r.MaxTokens = limit
	output = p.output
	switch {
	case p.model.OutputPerM == 0:
		output = 0
	case limit > 0:
		output = min(output, limit)
	case p.model.DefaultOutput > 0:
		output = min(output, p.model.DefaultOutput)
	}
	return dayplan.Call{
		Reserved: p.estimator.Estimate(p.model, r).Neurons,
		Cost:     p.model.Tokens(p.model.SentTokens(r), 0, output),
	}, output
}

// limit returns the limit of output tokens of a call that is made while so much is left; 0: none.
func (p *planner) limit(left quota.Neurons) int64 {
	d := p.c.DefaultMaxTokens
	if !d.IsSet() || p.model.Task != workload.TextGeneration || p.model.OutputPerM == 0 {
		return 0
	}
	return d.Choose(p.model.Room(p.request, d.Most()), func(limit int64) bool {
		c, _ := p.call(limit)
		return c.Reserved <= left
	})
}

// dayOf is the day with a limit of output tokens.
func (p *planner) dayOf(limit int64) dayplan.Plan {
	c, _ := p.call(limit)
	table := p.c.RateLimits
	if p.c.Plan == config.PlanPrepaid {
		table = table.WithCredits()
	}
	rate, _ := pace.New(table).Remaining(pace.Key{
		Task: p.model.Task, Model: p.model.Name, PaidOnly: p.model.RequiresWorkersPaid,
	}, time.Now())
	return dayplan.Plan{
		Limit: p.reservable(), Callers: p.callers, Duration: p.duration, PerMinute: rate.PerMinute,
		Call: c,
	}
}

// reservable is what calls may reserve of a day: its limit without what a tight estimate keeps back; 0 without a limit.
func (p *planner) reservable() quota.Neurons {
	limit := p.c.DailyNeurons
	if p.c.Estimate != config.EstimateBound {
		limit *= 1 - margin
	}
	return quota.FromFloat(limit)
}

func (p *planner) report() planReport {
	left := quota.MaxCost
	if p.c.DailyNeurons > 0 {
		left = p.reservable()
	}
	limit := p.limit(left)
	of := p.dayOf(limit)
	if p.c.DefaultMaxTokens.Fit && limit > 0 {
		of.Fit = func(left quota.Neurons) dayplan.Call {
			c, _ := p.call(p.limit(left))
			return c
		}
	}
	day := of.Day()
	c, output := p.call(limit)
	r := planReport{
		Model: p.model.Name, Plan: p.c.Plan, Estimate: p.c.Estimate,
		PromptBytes: p.request.PromptBytes, PromptTokens: p.model.SentTokens(p.request), OutputTokens: output,
		Cut: output < p.output && p.model.OutputPerM > 0, Reserved: status.Neurons(c.Reserved),
		Neurons: status.Neurons(c.Cost),
		Callers: p.callers, Seconds: p.duration.Seconds(), Calls: day.Calls, NeuronsADay: status.Neurons(day.Used),
		LimitedBy: day.LimitedBy, WaitingAt: clock(day.Waiting), SpentAt: clock(day.Spent),
	}
	if limit > 0 {
		r.MaxTokens, r.Fit = &limit, p.c.DefaultMaxTokens.Fit
	}
	if p.c.DailyNeurons > 0 {
		n := status.Neurons(quota.FromFloat(p.c.DailyNeurons))
		r.Limit, r.AtOnce = &n, &day.AtOnce
	}
	const daysAMonth = 30
	paid, usd := bill.Paid(day.Used), bill.Price(p.c.USDPer1000)
	r.USDADay, r.USDAMonth = cents(usd.Dollars(paid)), cents(usd.Dollars(paid*daysAMonth))
	r.Advice = p.advice(c, limit, day)
	return r
}

// advice says what would let more calls run at once, where they reserve much more than they cost.
func (p *planner) advice(c dayplan.Call, limit int64, day dayplan.Day) string {
	const much = 2
	enough := max(2*p.output, outputlimit.MinFit)
	if day.LimitedBy != dayplan.Neurons || c.Reserved < much*c.Cost || limit > 0 && limit <= enough {
		return ""
	}
	better := p.dayOf(enough).Day()
	if better.AtOnce <= day.AtOnce {
		return ""
	}
	return fmt.Sprintf("A call reserves %.1f times what it costs. With --max-tokens %d, %d calls would run at once.",
		c.Reserved.Float()/c.Cost.Float(), enough, better.AtOnce)
}

// clock writes a time of day; nil stands for none.
func clock(since time.Duration) *string {
	if since >= 24*time.Hour {
		return nil
	}
	text := time.Time{}.Add(since).Format("15:04")
	return &text
}

func cents(usd bill.Dollars) float64 { return math.Round(float64(usd)*100) / 100 }

// prose is English text of so many bytes.
func prose(size int) string {
	return strings.Repeat(sampleProse, size/len(sampleProse)+1)[:size]
}

const sampleProse = "The harbour was quiet when the first boat came back. Its crew had been away for nine days, and " +
	"what they brought home was less than anybody had hoped for. They carried the boxes to the scales, wrote down " +
	"the weight of each, and agreed with the buyer on a price that was neither good nor bad. By noon the deck was " +
	"clean again, the nets hung in the wind, and most of the men had gone to sleep. Only the captain was still at " +
	"work: he had to explain to the owners why the engine needed a new pump, what it would cost, and how long the " +
	"boat could not go out. "
