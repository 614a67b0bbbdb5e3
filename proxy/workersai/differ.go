package workersai

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/neuronward/neuronward/quota"
)

// A difference is something in which an answer differs from what is known of
// Workers AI.
type difference string

const (
	differRay      difference = "ray"      // no answer has a cf-ray
	differID       difference = "id"       // nor a cf-ai-req-id
	differEncoding difference = "encoding" // it says that it is compressed
	differBilled   difference = "billed"   // a failure has cf-ai-neurons
	differHeader   difference = "header"   // cf-ai-neurons is one too high, on streams as well
	differNeurons  difference = "neurons"  // a usage has no neurons
	differPrompt   difference = "prompt"   // the prompt has 500 tokens that nobody sent
	differLimit    difference = "limit"    // max_tokens is ignored
	differSum      difference = "sum"      // the usages of a stream's chunks add up to more than the last one
	differOrder    difference = "order"    // [DONE] also comes before a stream's last usage
)

var differences = []difference{
	differRay, differID, differEncoding, differBilled, differHeader, differNeurons, differPrompt, differLimit,
	differSum, differOrder,
}

// hiddenPrompt is the tokens of differPrompt.
const hiddenPrompt = 500

// differ reads differ=.
func (d *directive) differ(value string) error {
	for name := range strings.SplitSeq(value, ",") {
		of := difference(strings.TrimSpace(name))
		if !slices.Contains(differences, of) {
			return fmt.Errorf("differ=%s is none of %v", of, differences)
		}
		d.differs = append(d.differs, of)
	}
	return nil
}

func (x *exchange) differs(in difference) bool { return slices.Contains(x.directive.differs, in) }

// headerCost is what cf-ai-neurons says of a cost.
func (x *exchange) headerCost(cost quota.Neurons) string {
	if x.differs(differHeader) {
		cost = cost.Add(quota.OneNeuron)
	}
	return cost.String()
}

// A differingWriter changes the headers of an answer.
type differingWriter struct {
	http.ResponseWriter
	x *exchange
}

func (w differingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w differingWriter) WriteHeader(status int) {
	h := w.Header()
	if w.x.differs(differRay) {
		h.Del("cf-ray")
	}
	if w.x.differs(differID) {
		h.Del("cf-ai-req-id")
	}
	if w.x.differs(differEncoding) {
		h.Set("Content-Encoding", "br")
	}
	if w.x.differs(differBilled) && status >= http.StatusBadRequest {
		h.Set("cf-ai-neurons", "1.00")
	}
	w.ResponseWriter.WriteHeader(status)
}
