package meter

import "github.com/neuronward/neuronward/quota/workload"

// A Report is what an answer has reported so far.
type Report struct {
	// Usage has the figures of the whole answer. Input includes the tokens that came from the cache, in every protocol.
	// Of a stream it is the cumulative usage where one came, else the sum of the increments; a stream that has only
	// reported its input has no usage yet. Images are those in the answer's JSON; only the request knows their size and
	// steps.
	Usage workload.Usage

	// ReportedOutput is what of Usage.Output the answer itself reports.
	ReportedOutput int64

	// Unreported are tokens of text that are not in the neurons of Usage: it came after the last usage, or the answer
	// reports its input alone. The tokens of Usage include them.
	Unreported int64

	// ObservedInput and ObservedOutput are the tokens of a stream as far as it was received, or of a JSON answer: the
	// input that it reported, else 0, and the output that passed: text, reasoning and arguments of tool calls by
	// package tokens, and at least a token for each event that has some, since engines send each as it comes; a usage
	// that counts more replaces that. Observed says that ObservedOutput stands for all of the answer: false for a JSON
	// answer that was cut, that has no text, or in which an object stands where text was expected.
	ObservedInput, ObservedOutput int64
	Observed                      bool

	// Cut says that a JSON answer did not come to its end.
	Cut bool

	// Model is the name of the model that the answer names first, "" for none.
	Model string

	// BatchID and BatchStatus are what the answer to a batch reports, "" for nothing. A batch whose responses are there
	// is "completed" unless it reports another status.
	BatchID, BatchStatus string
}

// Queued reports whether the answer accepts a batch, which has not run yet.
func (r Report) Queued() bool { return r.BatchID != "" && r.BatchStatus == "queued" }

// Done reports whether the answer is that to a batch that has run.
func (r Report) Done() bool {
	switch r.BatchStatus {
	case "", "queued", "running":
		return false
	}
	return true
}

// Report returns what the answer has reported so far.
func (m *Meter) Report() Report {
	r := Report{Model: m.model, BatchID: m.requestID, BatchStatus: m.status}
	r.Usage, r.ReportedOutput, r.Unreported = m.quotaUsage()
	r.ObservedInput, r.ObservedOutput = m.observedTokens()
	r.Cut = m.cut()
	r.Observed = m.isStream || m.walker.at == done && m.begun && m.hasText && !m.unread
	if m.hasResponses && m.status == "" {
		r.BatchStatus = "completed"
	}
	return r
}

// quotaUsage is the usage that the answer reports, without what cannot be: zero where a model wrote something. Its
// neurons lack unreported tokens of text, and its output has them beside those that are reported.
func (m *Meter) quotaUsage() (u workload.Usage, reported, unreported int64) {
	u = workload.Usage{AudioSeconds: m.seconds, HasAudio: m.hasSeconds, Images: m.images, HasImages: m.images > 0}
	sources := []*figures{&m.usages[resultUsage], &m.usages[ownUsage], &m.usages[metaUsage]}
	if m.isStream {
		sum := &m.sum
		if f, ok := m.rising.total(); ok {
			sum = &f
		}
		sources = []*figures{&m.total, sum}
		if m.total.zero() && !m.sum.zero() {
			sources = sources[1:] // a last usage of zeros does not replace a sum that is none
		}
	}
	empty := m.empty()
	for _, f := range sources {
		if in, cached, out, ok := f.tokens(); ok && !u.HasTokens && (in+out > 0 || empty) {
			reported = out
			if out == 0 {
				out = m.outputTokens()
			} else {
				out += m.untoldTokens()
			}
			if m.cut() { // the usage, too, may have more to it
				out = max(out, m.outputTokens())
			}
			u.Input, u.Cached, u.Output, u.HasTokens = in, cached, out, true
		}
	}
	for _, f := range sources {
		if n, ok := f.neurons(); ok && !u.HasNeurons && (n > 0 || empty && u.Input+u.Output == 0) {
			u.Neurons, u.HasNeurons = n, true
			unreported = m.untoldTokens()
			if !m.isStream && !f.hasOutput() {
				unreported = m.outputTokens()
			}
		}
	}
	return u, reported, unreported
}

// untoldTokens are those of a stream's text after the last usage that reports an output.
func (m *Meter) untoldTokens() int64 {
	if !m.isStream {
		return 0
	}
	return max(m.outputTokens()-m.toldTokens, m.textEvents-m.toldEvents)
}

// cut reports whether a JSON answer has not come to its end.
func (m *Meter) cut() bool { return !m.isStream && m.begun && m.walker.at != done }

// empty reports whether the answer has nothing that a model put out, where it could have.
func (m *Meter) empty() bool { return m.hasText && m.outputTokens() == 0 && m.images == 0 && !m.unread }

// smallFactor is how many tokens of a model with a small vocabulary are counted for one: the most that was measured is
// 1.8.
const smallFactor = 2

// outputTokens are those of the text that passed.
func (m *Meter) outputTokens() int64 {
	counted := m.written.Tokens() + m.reasoned.Tokens()
	if m.small {
		counted *= smallFactor
	}
	return max(m.textEvents, counted)
}

func (m *Meter) observedTokens() (input, output int64) {
	for _, f := range []*figures{&m.input, &m.sum, &m.total} {
		if in, _, out, ok := f.tokens(); ok {
			input, output = max(input, in), max(output, out)
		}
	}
	return input, max(output, m.outputTokens())
}
