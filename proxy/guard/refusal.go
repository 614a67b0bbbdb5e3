package guard

import (
	"fmt"
	"strings"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/quota"
)

// refusal returns a failure of a call that the guard does not let through. message "" is the catalog's.
func refusal(code normalize.Code, message string) *normalize.Failure {
	return &normalize.Failure{
		Code: code, Message: message, Origin: normalize.OriginGuard, MatchedBy: normalize.MatchedRequest,
	}
}

// reasonOf is the label of a refusal.
func reasonOf(o quota.Outcome, budget quota.Budget) string {
	switch o {
	case quota.Blocked:
		return "latched"
	case quota.PriorityFloor:
		return "priority_floor"
	case quota.Contended:
		return "contended"
	}
	if budget == quota.Account {
		return "account_quota"
	}
	return "client_budget"
}

// refuse turns a decision against the call into a failure, and counts it.
func (ch *Charge) refuse(d quota.Decision) *normalize.Failure {
	ch.preempted(reasonOf(d.Outcome, d.Budget), modeEnforce)
	return ch.explain(d)
}

// preempted counts the call as refused, or as one that would have been.
func (ch *Charge) preempted(reason, mode string) {
	ch.guard.o.Recorder.Preempted(reason, mode, ch.call.Label, ch.call.Client)
}

// explain turns a decision against the call into a failure.
func (ch *Charge) explain(d quota.Decision) *normalize.Failure {
	f := &normalize.Failure{
		Origin: normalize.OriginGuard, MatchedBy: normalize.MatchedBudget,
		ResetsAt: d.ResetsAt, RetryAfter: d.ResetsAt.Sub(d.At),
	}
	left, fewLeft := d.Left(), d.Left() <= d.Limit/100 // too few to speak of
	window, today := "day", "today"
	if d.OfMonth {
		d = ofMonth(d)
		window, today = "month", "this month"
	}
	limit := "The limit of " + amount(d.Limit) + " a " + window + " set for this proxy"
	if d.Budget != quota.Account {
		limit = "Your budget of " + amount(d.Limit) + " a " + window
	}
	if !d.Unlimited {
		f.Limit = &normalize.Limit{
			Name: "account", Used: d.Used.Add(d.External).Float(), Reserved: d.Reserved.Float(), Limit: d.Limit.Float(),
			Unit: "neurons", Window: window,
		}
		if d.Budget != quota.Account {
			f.Limit.Name, f.Limit.Client = "client", ch.call.Client
		}
	}
	resets := "It resets at " + timeText(d.ResetsAt) + "."
	switch d.Outcome {
	case quota.Blocked:
		f.Code = normalize.AccountLimited
		f.Message = "Workers AI has said that the account's daily allocation is used up, so this call was not sent. " +
			resets
		if d.Late {
			f.RetryAfter = d.RetryAt.Sub(d.At)
			f.Message = "Workers AI still says that the account's daily allocation is used up, although a new day " +
				"has begun, so this call was not sent. The next call is sent as a trial at " + timeText(d.RetryAt) + "."
		}
	case quota.PriorityFloor:
		f.Code = normalize.PriorityFloor
		kept := fmt.Sprintf("%s of the %s's %s are kept for calls of a higher priority",
			neurons(d.Kept), window, amount(d.Limit))
		f.Message = kept + ", and the rest is spent. " + resets
		if !fewLeft {
			f.Message = fmt.Sprintf("%s that are left for its priority: %s. %s%s",
				tooLarge(d.Estimate, left), kept, ch.wouldFit(left, "it fits"), resets)
		}
	case quota.Contended:
		f.Code, f.ResetsAt, f.RetryAfter = normalize.QuotaContended, time.Time{}, max(d.RetryIn, time.Second)
		kept := ""
		if d.Kept > 0 {
			kept = ", " + neurons(d.Kept) + " kept for calls of a higher priority"
		}
		first := tooLarge(d.Estimate, d.Remaining) + " that are free now"
		smaller := ch.wouldFit(d.Remaining, "it fits now")
		if d.Remaining >= d.Estimate {
			first = fmt.Sprintf("This call may need %s neurons, and the %s that are free now are for calls that wait "+
				"longer, or held by other processes", neurons(d.Estimate), neurons(d.Remaining))
			smaller = ""
		}
		f.Message = strings.TrimSpace(fmt.Sprintf("%s. %s: %s%s%s. It may fit in %s. %s",
			first, limit, used(d), heldBy(d), kept, seconds(f.RetryAfter), smaller))
	default:
		f.Code = normalize.AccountLimited
		if d.Budget != quota.Account {
			f.Code = normalize.ClientBudgetExhausted
		}
		f.Message = fmt.Sprintf("%s is reached: %s, this call may need %s. %s",
			limit, used(d), neurons(d.Estimate), resets)
		if !fewLeft {
			f.Message = fmt.Sprintf("%s that are left. %s allows no more %s: %s%s. %s%s",
				tooLarge(d.Estimate, left), limit, today, used(d), heldBy(d), ch.wouldFit(left, "it fits"), resets)
		}
	}
	return f
}

// ofMonth returns d with the figures of the month, whose rest is the limit of today.
func ofMonth(d quota.Decision) quota.Decision {
	d.Limit, d.Used, d.External = d.MonthLimit, d.Earlier.Add(d.Used).Add(d.External), 0
	return d
}

// used says what of a budget cannot come back before it resets.
func used(d quota.Decision) string {
	text := neurons(d.Used.Add(d.External)) + " used"
	if d.External != 0 {
		text += ", of which " + neurons(d.External) + " outside this proxy"
	}
	if d.Lost != 0 {
		text += ", " + neurons(d.Lost) + " reserved by processes that have ended"
	}
	if d.Margin > d.Kept {
		text += ", " + neurons(d.Margin) + " kept for calls that cost more than estimated"
	}
	return text
}
