package normalize

import "slices"

// referenceSchema returns envelope.schema.json, the JSON Schema of the envelope; its enumerations are those of
// the code.
func referenceSchema() ([]byte, error) {
	var slugs, words, numbers []any
	for _, e := range Catalog() {
		slugs = append(slugs, e.Slug)
		words = append(words, e.Slug)
		if e.OpenAI != "" && !slices.Contains(words, any(e.OpenAI)) {
			words = append(words, e.OpenAI)
		}
		numbers = append(numbers, e.Number)
	}
	failure := object(map[string]any{
		"message": map[string]any{"type": "string", "minLength": 1},
		"type": oneOf(TypeInvalidRequest, TypeAuthentication, TypePermission, TypeNotFound, TypeTooLarge,
			TypeRateLimit, TypeTimeout, TypeAPI, TypeOverloaded),
		"param":          stringOrNull(),
		"code":           map[string]any{"enum": words},
		"name":           map[string]any{"enum": slugs},
		"number":         map[string]any{"type": "integer", "minimum": 1, "examples": numbers},
		"status":         map[string]any{"type": "integer", "minimum": 400, "maximum": 599},
		"origin":         oneOf(OriginUpstream, OriginGuard, OriginProxy),
		"fault":          oneOf(FaultCaller, FaultAccount, FaultOperator, FaultUpstream, FaultProxy),
		"retryable":      map[string]any{"type": "boolean"},
		"retry_after_ms": map[string]any{"type": []string{"integer", "null"}, "minimum": 1},
		"resets_at":      map[string]any{"type": []string{"string", "null"}, "format": "date-time"},
		"action":         map[string]any{"type": "string", "minLength": 1},
		"model":          stringOrNull(),
		"matched_by": oneOf(MatchedCode, MatchedAlias, MatchedText, MatchedStatus, MatchedTransport, MatchedBudget,
			MatchedRate, MatchedRequest, MatchedLatched),
		"upstream": map[string]any{"anyOf": []any{map[string]any{"type": "null"}, object(map[string]any{
			"status":     map[string]any{"type": "integer"},
			"code":       map[string]any{"type": []string{"integer", "string", "null"}},
			"message":    map[string]any{"type": "string"},
			"request_id": stringOrNull(),
			"ray":        stringOrNull(),
		})}},
		"limit": object(map[string]any{
			"name":     map[string]any{"type": "string"},
			"client":   stringOrNull(),
			"used":     map[string]any{"type": "number"},
			"reserved": map[string]any{"type": "number"},
			"limit":    map[string]any{"type": "number"},
			"unit":     map[string]any{"type": "string"},
			"window":   map[string]any{"type": "string"},
		}),
		"doc_url": map[string]any{"type": "string", "pattern": "^" + docPath + "[a-z0-9_]+$"},
	}, "limit")
	empty := map[string]any{"type": "array", "maxItems": 0}
	schema := object(map[string]any{
		"error": failure,
		"type": map[string]any{
			"enum":        []string{"error", "response.failed"},
			"description": "response.failed only in the event that ends a stream of /v1/responses.",
		},
		"message": map[string]any{"type": "string", "minLength": 1},
		"success": map[string]any{"const": false},
		"errors": map[string]any{"type": "array", "minItems": 1, "maxItems": 1, "items": object(map[string]any{
			"code":    map[string]any{"type": "integer", "minimum": 1},
			"message": map[string]any{"type": "string", "minLength": 1},
		})},
		"messages":   empty,
		"result":     map[string]any{"type": "null"},
		"request_id": map[string]any{"type": "string"},
		"response": map[string]any{
			"type":        "object",
			"description": "The response, status failed. Only in the event that ends a stream of /v1/responses.",
		},
		"sequence_number": map[string]any{
			"type":        "integer",
			"description": "Only in the event that ends a stream of /v1/responses.",
		},
	}, "response", "sequence_number")
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "The envelope of every failure"
	return indented(schema)
}

// object returns the schema of an object that has these properties and no others; all but the optional ones are
// required.
func object(properties map[string]any, optional ...string) map[string]any {
	required := []string{}
	for name := range properties {
		if !slices.Contains(optional, name) {
			required = append(required, name)
		}
	}
	slices.Sort(required)
	return map[string]any{
		"type": "object", "properties": properties, "required": required,
		"additionalProperties": false,
	}
}

func stringOrNull() map[string]any { return map[string]any{"type": []string{"string", "null"}} }

func oneOf[T any](values ...T) map[string]any { return map[string]any{"enum": values} }
