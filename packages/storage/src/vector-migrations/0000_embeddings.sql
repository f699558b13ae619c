CREATE TABLE "embeddings" (
	"resource" text NOT NULL,
	"row_id" uuid NOT NULL,
	"space_id" uuid NOT NULL,
	"model" text NOT NULL,
	"embedding" vector NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "embeddings_resource_row_id_model_pk" PRIMARY KEY("resource","row_id","model")
);
--> statement-breakpoint
CREATE INDEX "embeddings_space_id" ON "embeddings" USING btree ("space_id");--> statement-breakpoint
CREATE INDEX "embeddings_cosine_384" ON "embeddings" USING hnsw ((embedding::vector(384)) vector_cosine_ops) WHERE vector_dims(embedding) = 384;--> statement-breakpoint
CREATE INDEX "embeddings_cosine_768" ON "embeddings" USING hnsw ((embedding::vector(768)) vector_cosine_ops) WHERE vector_dims(embedding) = 768;--> statement-breakpoint
CREATE INDEX "embeddings_cosine_1024" ON "embeddings" USING hnsw ((embedding::vector(1024)) vector_cosine_ops) WHERE vector_dims(embedding) = 1024;--> statement-breakpoint
CREATE INDEX "embeddings_cosine_1536" ON "embeddings" USING hnsw ((embedding::vector(1536)) vector_cosine_ops) WHERE vector_dims(embedding) = 1536;