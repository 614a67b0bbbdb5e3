package guard

import (
	"fmt"
	"strconv"
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
	ch.guard.o.Recorder.Preempted(reasonOf(d.Outcome, d.Budget), modeEnforce)
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
	limit, inFlight := "The limit of "+neurons(d.Limit)+" neurons a "+window+" set for this proxy", "Calls in flight"
	if d.Budget != quota.Account {
		limit, inFlight = "Your budget of "+neurons(d.Limit)+" neurons a "+window, "Your calls in flight"
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
		kept := fmt.Sprintf("%s of the %s's %s neurons are kept for calls of a higher priority",
			neurons(d.Kept), window, neurons(d.Limit))
		f.Message = kept + ", and the rest is spent. " + resets
		if !fewLeft {
			f.Message = fmt.Sprintf("This call may need %s neurons, more than the %s that are left for its priority: "+
				"%s. %s%s", neurons(d.Estimate), neurons(left), kept, smaller(&ch.call.Request), resets)
		}
	case quota.Contended:
		f.Code, f.ResetsAt, f.RetryAfter = normalize.QuotaContended, time.Time{}, max(d.RetryIn, time.Second)
		kept := ""
		if d.Kept > 0 {
			kept = ", " + neurons(d.Kept) + " kept for calls of a higher priority"
		}
		f.Message = fmt.Sprintf("%s have reserved the neurons that this call may need, %s. %s: %s, %s reserved%s. "+
			"It may fit when they end.", inFlight, neurons(d.Estimate), limit, used(d), neurons(d.Reserved), kept)
	default:
		f.Code = normalize.AccountLimited
		if d.Budget != quota.Account {
			f.Code = normalize.ClientBudgetExhausted
		}
		f.Message = fmt.Sprintf("%s is reached: %s, this call may need %s. %s",
			limit, used(d), neurons(d.Estimate), resets)
		if !fewLeft {
			f.Message = fmt.Sprintf("This call may need %s neurons, more than the %s that are left. "+
				"%s allows no more %s: %s. %s%s",
				neurons(d.Estimate), neurons(left), limit, today, used(d), smaller(&ch.call.Request), resets)
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

// smaller says what may make a call fit into what is left, "" where nothing does.
func smaller(r *quota.Request) string {
	if len(r.Parts) > 0 {
		return "A smaller batch may fit. "
	}
	switch r.Task {
	case quota.TextToImage:
		return "A smaller picture or fewer steps may fit. "
	case quota.SpeechRecognition, quota.VoiceActivity:
		return "A shorter recording may fit. "
	case quota.TextToSpeech, quota.TextEmbeddings, quota.TextClassification, quota.Translation:
		return "A shorter text may fit. "
	case quota.ImageClassification:
		return ""
	default:
		return "A smaller max_tokens or a shorter prompt may fit. "
	}
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// neurons is an amount for people: whole above 100, thousands set apart.
func neurons(n quota.Neurons) string {
	f := n.Float()
	if f < 100 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
