package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/logging"
)

const (
	// The most keys that DynamoDB takes in one batch.
	batchSize = 100
	// How often keys that a batch left unprocessed are asked for again.
	tries = 5
)

// table has the rows, read as shared/store reads them: consistent, and as many as go together in one call.
type table struct {
	client *dynamodb.Client
	name   string
}

type key struct{ pk, sk string }

type item = map[string]types.AttributeValue

func openTable(ctx context.Context, name string) (*table, error) {
	// This release of the SDK warns with each answer that it cannot close what it has read to the end and closed.
	settings, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{}))
	if err != nil {
		return nil, err
	}
	settings.HTTPClient = plainBodies{settings.HTTPClient}
	// This release of the SDK does not read the variable by itself.
	endpoint := dynamodb.EndpointResolverFromURL(os.Getenv("AWS_ENDPOINT_URL_DYNAMODB"))
	client := dynamodb.NewFromConfig(settings, func(options *dynamodb.Options) {
		options.EndpointResolver = endpoint
		options.DisableValidateResponseChecksum = true
	})
	return &table{client, name}, nil
}

// plainBodies sends bodies that can be read and no more. Those of this release of the SDK also offer io.WriterTo, which fails once an answer
// has come; Go asks it for what may be left of the body, and closes the connection under the answer.
type plainBodies struct{ client aws.HTTPClient }

func (p plainBodies) Do(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		request.Body = io.NopCloser(struct{ io.Reader }{request.Body})
	}
	return p.client.Do(request)
}

func (k key) item() item {
	return item{"pk": &types.AttributeValueMemberS{Value: k.pk}, "sk": &types.AttributeValueMemberS{Value: k.sk}}
}

func keyOf(row item) key {
	pk, _ := row["pk"].(*types.AttributeValueMemberS)
	sk, _ := row["sk"].(*types.AttributeValueMemberS)
	if pk == nil || sk == nil {
		return key{}
	}
	return key{pk.Value, sk.Value}
}

// Rows have the same names in the table and in answers.
func byJSONTag(options *attributevalue.DecoderOptions) { options.TagKey = "json" }

func unmarshal(row item, into any) error {
	return attributevalue.UnmarshalMapWithOptions(row, into, byJSONTag)
}

// get reads one row and tells whether it is there.
func (t *table) get(ctx context.Context, k key, into any) (bool, error) {
	answer, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.name, Key: k.item(), ConsistentRead: aws.Bool(true),
	})
	if err != nil || answer.Item == nil {
		return false, err
	}
	return true, unmarshal(answer.Item, into)
}

// rows are those that were read together.
type rows map[key]item

// take reads one of them, and tells whether it is there.
func (r rows) take(k key, into any) (bool, error) {
	row, found := r[k]
	if !found {
		return false, nil
	}
	return true, unmarshal(row, into)
}

func (t *table) batch(ctx context.Context, keys []key) (rows, error) {
	distinct := make(map[key]struct{}, len(keys))
	wanted := make([]item, 0, len(keys))
	for _, k := range keys {
		if _, known := distinct[k]; !known {
			distinct[k] = struct{}{}
			wanted = append(wanted, k.item())
		}
	}
	found := make(rows, len(wanted))
	for len(wanted) > 0 {
		size := len(wanted)
		if size > batchSize {
			size = batchSize
		}
		if err := t.chunk(ctx, wanted[:size], found); err != nil {
			return nil, err
		}
		wanted = wanted[size:]
	}
	return found, nil
}

func (t *table) chunk(ctx context.Context, keys []item, found rows) error {
	pending := map[string]types.KeysAndAttributes{t.name: {Keys: keys, ConsistentRead: aws.Bool(true)}}
	for try := 0; try < tries; try++ {
		answer, err := t.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: pending})
		if err != nil {
			return err
		}
		for _, row := range answer.Responses[t.name] {
			found[keyOf(row)] = row
		}
		if len(answer.UnprocessedKeys) == 0 {
			return nil
		}
		pending = answer.UnprocessedKeys
	}
	return errors.New("the table leaves keys of a batch unprocessed")
}

// first reads the first rows of a partition.
func (t *table) first(ctx context.Context, partition string, limit int, into any) error {
	answer, err := t.client.Query(ctx, &dynamodb.QueryInput{
		TableName:                 &t.name,
		KeyConditionExpression:    aws.String("#pk = :pk"),
		ExpressionAttributeNames:  map[string]string{"#pk": "pk"},
		ExpressionAttributeValues: item{":pk": &types.AttributeValueMemberS{Value: partition}},
		ConsistentRead:            aws.Bool(true),
		ScanIndexForward:          aws.Bool(true),
		Limit:                     aws.Int32(int32(limit)),
	})
	if err != nil {
		return err
	}
	return attributevalue.UnmarshalListOfMapsWithOptions(answer.Items, into, byJSONTag)
}
