package guard

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

// tooLarge says that a call needs more than there is.
func tooLarge(need, left quota.Neurons) string {
	needText, leftText := apart(need, left)
	return "This call may need " + needText + unit(needText) + ", more than the " + leftText
}

// heldBy says what of a budget calls in flight hold, and how many they are, "" where there is nothing.
func heldBy(d quota.Decision) string {
	if d.Reserved == 0 {
		return ""
	}
	text := ", " + neurons(d.Reserved) + " reserved"
	calls := strconv.Itoa(d.Calls) + " calls in flight"
	if d.Calls == 1 {
		calls = "1 call in flight"
	}
	switch {
	case d.Elsewhere == 0:
		return text + " by " + calls
	case d.Calls == 0:
		return text + " by calls of other processes"
	}
	return text + " by " + calls + " and calls of other processes"
}

// wouldFit says what makes the call fit into what is left, "" where nothing does. then is what a smaller limit of
// output tokens does.
func (ch *Charge) wouldFit(left quota.Neurons, then string) string {
	if ch.call.Session {
		return ""
	}
	if n := ch.fittingLimit(left); n > 0 {
		return fmt.Sprintf("With %s of %d or less %s. ", ch.call.LimitField, n, then)
	}
	if ch.call.LimitField != "" && len(ch.call.Request.Parts) == 0 {
		return "A shorter prompt may fit. "
	}
	return smaller(&ch.call.Request)
}

// minLimit is the smallest limit of output tokens that is worth naming.
const minLimit = 16

// fittingLimit returns the largest limit of output tokens with which the call fits into what is left, rounded down to
// two digits; 0: none is worth naming, or none can be set.
func (ch *Charge) fittingLimit(left quota.Neurons) int64 {
	r := ch.call.Request
	if ch.call.LimitField == "" || len(r.Parts) > 0 {
		return 0
	}
	const most = 1 << 17
	r.MayIgnoreLimit, r.OddLimit = false, false
	passes := func(n int) bool {
		r.MaxTokens = int64(n) + 1
		return ch.call.withAttempts(ch.guard.o.Estimator.Estimate(*ch.call.Model, r)) > left
	}
	if passes(minLimit - 1) { // as usual: the day is spent
		return 0
	}
	tooMany := sort.Search(most, passes)
	if tooMany == most { // with none it would fit as well, and did not
		return 0
	}
	unit := int64(math.Pow10(max(len(strconv.Itoa(tooMany))-2, 0)))
	return int64(tooMany) / unit * unit
}

// seconds is a wait for people.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(math.Ceil(d.Seconds()), 'f', 0, 64) + " s"
}

// smaller says what may make a call fit into what is left, "" where nothing does.
func smaller(r *workload.Request) string {
	if len(r.Parts) > 0 {
		return "A smaller batch may fit. "
	}
	switch r.Task {
	case workload.TextToImage:
		return "A smaller picture or fewer steps may fit. "
	case workload.SpeechRecognition, workload.VoiceActivity:
		return "A shorter recording may fit. "
	case workload.TextToSpeech, workload.TextEmbeddings, workload.TextClassification, workload.Translation:
		return "A shorter text may fit. "
	case workload.ImageClassification:
		return ""
	default:
		return "A smaller max_tokens or a shorter prompt may fit. "
	}
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// apart is two amounts for people, with as many digits as it takes to tell them apart, and from nothing.
func apart(a, b quota.Neurons) (x, y string) {
	for digits := range 7 { // the last is a millionth
		x, y = grouped(a, digits), grouped(b, digits)
		if x != y && (b == 0 || strings.Trim(y, "0.") != "") {
			break
		}
	}
	return x, y
}

// neurons is an amount for people: whole above 100, thousands set apart.
func neurons(n quota.Neurons) string {
	if f := n.Float(); f < 100 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return grouped(n, 0)
}

// amount is neurons with the unit.
func amount(n quota.Neurons) string { return neurons(n) + unit(neurons(n)) }

// unit is that of so many neurons.
func unit(text string) string {
	if text == "1" {
		return " neuron"
	}
	return " neurons"
}

// grouped is an amount with so many decimals, thousands set apart.
func grouped(n quota.Neurons, decimals int) string {
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(n.Float(), 'f', decimals, 64), ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		return whole + "." + fraction
	}
	return whole
}
